-- KEYS: list to take from, list to put into   ARGV: index in the one, index in the other
-- Takes an element by its index and puts it before what stands at an index of another list, or at its end.
-- Result: 1; 0 when there is no such element, or the keys hold something else.
for i = 1, 2 do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'list' and (i == 1 or kind ~= 'none') then
    return 0
  end
end
local from, to = tonumber(ARGV[1]), tonumber(ARGV[2])
local element = redis.call('LINDEX', KEYS[1], from)
if not element then
  return 0
end
local function mark(key)
  return 'tandem:' .. redis.sha1hex(key)
end
local length = redis.call('LLEN', KEYS[1])
if from == 0 then
  redis.call('LPOP', KEYS[1])
elseif from == length - 1 then
  redis.call('RPOP', KEYS[1])
else
  redis.call('LSET', KEYS[1], from, mark(KEYS[1]))
  redis.call('LREM', KEYS[1], from * 2 > length and -1 or 1, mark(KEYS[1]))
end
if to == 0 then
  redis.call('LPUSH', KEYS[2], element)
elseif to >= redis.call('LLEN', KEYS[2]) then
  redis.call('RPUSH', KEYS[2], element)
else
  local pivot = redis.call('LINDEX', KEYS[2], to)
  redis.call('LSET', KEYS[2], to, mark(KEYS[2]))
  redis.call('LINSERT', KEYS[2], 'BEFORE', mark(KEYS[2]), element)
  redis.call('LSET', KEYS[2], to + 1, pivot)
end
return 1
