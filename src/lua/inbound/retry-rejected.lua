-- KEYS: rejected, retries, out, state, applied, received   ARGV: milliseconds `retries` lives, the entry, number of keys, per key:
--       database, key; then further entries of the same keys
-- Tries a rejected change again: asks the peer for the state of the keys it writes, in the way of write-message.lua, and counts it. With no
-- keys it is counted alone. The further entries go: they say the same of the same keys. The entry goes when the state is applied
-- (clear-rejected.lua). The request ranks behind all that is known here of either site's writes, and says that a
-- write of the peer's is lacking here.
-- Result: how often it was tried; 0 when the entry is gone.
local id, count = ARGV[2], tonumber(ARGV[3])
if #redis.call('XRANGE', KEYS[1], id, id) == 0 then
  return 0
end
local places, need = {}, {}
local function bulk(text)
  return '$' .. #text .. '\r\n' .. text .. '\r\n'
end
for i = 4, 3 + count * 2, 2 do
  table.insert(places, ARGV[i] .. ':' .. ARGV[i + 1])
  table.insert(need, bulk(ARGV[i]) .. bulk(ARGV[i + 1]))
end
local now = redis.call('TIME')
local clock = (now[1] * 1000 + math.floor(now[2] / 1000)) * 1024
for i, field in ipairs({ 'clock', 'clock', 'beatClock' }) do
  clock = math.max(clock, (tonumber(redis.call('HGET', KEYS[3 + i], field) or 0) or 0) + 1)
end
-- A right that the account has lost ends a script in the middle, and what it wrote stays. What has no effect yet goes first, then what
-- can be taken back: nothing leaves the list, and nothing counts as tried, when the peer is not asked.
redis.call('DEL', KEYS[3])
redis.call('XDEL', KEYS[1], '0-0')
redis.call('HDEL', KEYS[2], 'none')
redis.call('PEXPIRE', KEYS[2], ARGV[1])
local before = redis.call('HGET', KEYS[2], id)
local tries = redis.call('HINCRBY', KEYS[2], id, 1)
local function taken_back(reply, field)
  if type(reply) == 'table' and reply.err then
    redis.call('HDEL', KEYS[2], id, field)
    if before then
      redis.call('HINCRBY', KEYS[2], id, before)
    end
    return reply
  end
end
if count > 0 then
  local lost = taken_back(redis.pcall('HSET', KEYS[2], id .. '=', cmsgpack.pack(places)), 'none')
  if lost then
    return lost
  end
  local timestamp = string.format('%.0f', clock)
  lost = taken_back(redis.pcall('SET', KEYS[3],
    '*' .. (3 + count * 2) .. '\r\n' .. bulk('TANDEM.NEED') .. bulk(timestamp) .. bulk('2') .. table.concat(need)), id .. '=')
  if lost then
    return lost
  end
  redis.call('DEL', KEYS[3])
end
redis.call('PEXPIRE', KEYS[2], ARGV[1])
for i = 4 + count * 2, #ARGV do
  redis.call('XDEL', KEYS[1], ARGV[i])
  redis.call('HDEL', KEYS[2], ARGV[i], ARGV[i] .. '=')
end
return tries
