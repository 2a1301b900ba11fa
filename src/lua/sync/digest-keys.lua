-- KEYS: out   ARGV: session, number, 1 if fields of a hash can expire and for each key 1 if it is a stream in the order of arrival, bytes
--                   after which no further key is looked at, 1 if large values are digested all the same, then per key: database, key
-- Writes a TANDEM.COMPARE with the entries of keys to an internal key and removes it: capture takes it out of the stream at this very place.
-- Result: bytes of each value, 0 for keys that do not exist, -1 for those that are too large for one step and not in the question, as far
--         as they were looked at.
local fields_expire = string.sub(ARGV[3], 1, 1) == '1'
-- @include state
-- @include score
-- @include value
-- @include large
local parts, sizes, bytes, elements, limit, selected = {}, {}, 0, 0, tonumber(ARGV[4]), nil
for i = 6, #ARGV, 2 do
  local database, key = ARGV[i], ARGV[i + 1]
  if database ~= selected then
    redis.call('SELECT', database)
    selected = database
  end
  local kind = redis.call('TYPE', key).ok
  local large, length = is_large(key, kind)
  if large and ARGV[5] ~= '1' then
    sizes[#sizes + 1] = -1
  else
    local entry, size = entry_of(key, string.sub(ARGV[3], #sizes + 2, #sizes + 2) == '1', kind)
    parts[#parts + 1] = bulk(database) .. bulk(key) .. bulk(entry)
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
