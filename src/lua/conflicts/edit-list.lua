-- KEYS: list   ARGV: LREM, count, element, or LINSERT, BEFORE or AFTER, pivot, element; then indexes, in rising order, of elements that
--       the command's sender did not have
-- Runs an edit of the peer's by content on the elements its sender had. An element whose neighbour is gone is put at the end.
-- Result: the list's length; 0 when the key holds something else.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'list' and kind ~= 'none' then
  return 0
end
local key, removes = KEYS[1], ARGV[1] == 'LREM'
local unseen = {}
for i = removes and 4 or 5, #ARGV do
  unseen[tonumber(ARGV[i])] = true
end
local found = {}
for at, element in ipairs(redis.call('LRANGE', key, 0, -1)) do
  if element == ARGV[3] and not unseen[at - 1] then
    found[#found + 1] = at - 1
  end
end
local mark = 'tandem:' .. redis.sha1hex(key)
if removes then
  local count = tonumber(ARGV[2])
  local from = count < 0 and math.max(1, #found + count + 1) or 1
  local to = count > 0 and math.min(count, #found) or #found
  for i = from, to do
    redis.call('LSET', key, found[i], mark)
  end
  if from <= to then
    redis.call('LREM', key, 0, mark)
  end
elseif #found > 0 then
  redis.call('LSET', key, found[1], mark)
  redis.call('LINSERT', key, ARGV[2], mark, ARGV[4])
  redis.call('LSET', key, found[1] + (ARGV[2] == 'BEFORE' and 1 or 0), ARGV[3])
else
  redis.call('RPUSH', key, ARGV[4])
end
return redis.call('LLEN', key)
