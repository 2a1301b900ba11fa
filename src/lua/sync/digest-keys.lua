-- KEYS: out   ARGV: session, number, 1 if fields of a hash can expire and for each key 1 if it is a stream in the order of arrival, bytes
--                   after which no further key is looked at, 1 if large values are digested all the same, 2 for quick entries of small ones,
--                   then per key: database, key
-- Writes a TANDEM.COMPARE with the entries of keys to an internal key and removes it: capture takes it out of the stream at this very place.
-- Result: bytes of each value, 0 for keys that do not exist, -1 for those that are too large for one step and not in the question, as far
--         as they were looked at.
local fields_expire = string.sub(ARGV[3], 1, 1) == '1'
-- @include state
-- @include score
-- @include value
-- @include large
-- @include quick
local parts, sizes, bytes, elements, limit, selected, placed = {}, {}, 0, 0, tonumber(ARGV[4]), nil, nil
local has_arrivals = string.find(ARGV[3], '1', 2, true)
for i = 6, #ARGV, 2 do
  local database, key = ARGV[i], ARGV[i + 1]
  if database ~= selected then
    redis.call('SELECT', database)
    selected, placed = database, bulk(database)
  end
  local arrives = has_arrivals and string.sub(ARGV[3], #sizes + 2, #sizes + 2) == '1'
  local large, length, entry, size, kind = false, 1, nil, nil, nil
  if ARGV[5] == '2' and not arrives then
    entry, size = quick_entry_of(key)
  end
  if not entry then
    kind = redis.call('TYPE', key).ok
    large, length = is_large(key, kind)
  end
  if large and ARGV[5] ~= '1' then
    sizes[#sizes + 1] = -1
  else
    if not entry then
      entry, size = entry_of(key, arrives, kind)
    end
    parts[#parts + 1] = placed .. '$' .. #key .. '\r\n' .. key .. '\r\n$' .. #entry .. '\r\n' .. entry .. '\r\n'
    sizes[#sizes + 1] = size
    bytes, elements = bytes + size, elements + length
  end
  if bytes > limit or elements > LARGE_ELEMENTS then
    break
  end
end
redis.call('SELECT', 0)
if #parts > 0 then
  redis.call('SET', KEYS[1], '*' .. 3 + 3 * #parts .. '\r\n' .. bulk('TANDEM.COMPARE') .. bulk(ARGV[1]) .. bulk(ARGV[2])
    .. table.concat(parts))
  redis.call('UNLINK', KEYS[1])
end
return sizes
