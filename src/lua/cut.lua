-- KEYS: stream   ARGV: MAXLEN or MINID, limit, then IDs of entries that the trim had not seen
-- A trim of the peer's takes off the entries its sender had, and leaves those that were added here meanwhile.
-- Result: entries taken off.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'stream' and kind ~= 'none' then
  return 0
end
local unseen, known = {}, {}
for i = 3, #ARGV do
  unseen[string.find(ARGV[i], '-') and ARGV[i] or ARGV[i] .. '-0'] = true
end
local from, to = '-', '+'
if ARGV[1] == 'MINID' then
  -- A bare number would end the range behind the last entry of that millisecond.
  to = '(' .. (string.find(ARGV[2], '-') and ARGV[2] or ARGV[2] .. '-0')
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], from, to)) do
  if not unseen[entry[1]] then known[#known + 1] = entry[1] end
end
local count = ARGV[1] == 'MINID' and #known or #known - tonumber(ARGV[2])
for i = 1, count do
  redis.call('XDEL', KEYS[1], known[i])
end
return math.max(0, count)
