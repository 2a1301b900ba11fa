-- KEYS: out, fence   ARGV: token, database, key, end (lowest or highest), members, bytes of them
-- Writes the members of a sorted set that are next to be popped where capture takes them out of the stream: at this place in the order
-- they are what is there. 1 in front of them says that these are all.
-- Result: how many; -1 when the key is no sorted set. Errors: FENCED.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return redis.error_reply('FENCED another process works for this site')
end
local function bulk(text)
  return '$' .. #text .. '\r\n' .. text .. '\r\n'
end
local STEP = 64
redis.call('SELECT', ARGV[2])
local key, kind = ARGV[3], redis.call('TYPE', ARGV[3]).ok
if kind ~= 'zset' and kind ~= 'none' then
  return -1
end
local size, most, room = redis.call('ZCARD', key), tonumber(ARGV[5]), tonumber(ARGV[6])
local command = ARGV[4] == 'lowest' and 'ZRANGE' or 'ZREVRANGE'
local parts, count = {}, 0
while count < size and count < most and room > 0 do
  local found = redis.call(command, key, count, math.min(count + STEP, most) - 1, 'WITHSCORES')
  for i, part in ipairs(found) do
    parts[#parts + 1] = bulk(part)
    room = room - #part
  end
  count = count + #found / 2
end
redis.call('SELECT', 0)
redis.call('SET', KEYS[1], '*' .. 5 + #parts .. '\r\n' .. bulk('TANDEM.MEMBERS') .. bulk(ARGV[2]) .. bulk(key)
  .. bulk(ARGV[4]) .. bulk(count < size and '0' or '1') .. table.concat(parts))
redis.call('UNLINK', KEYS[1])
return count
