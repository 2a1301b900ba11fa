-- KEYS: out   ARGV: session, number, 1 if fields of a hash can expire and for each key 1 if it is a stream in the order of arrival, bytes
--                   after which no further key is looked at, then per key: database, key
-- Writes a TANDEM.COMPARE with the entries of keys to an own key and removes it: capture takes it out of the stream at this very place.
-- Result: bytes of each value, 0 for keys that do not exist, as far as they were looked at.
local fields_expire = string.sub(ARGV[3], 1, 1) == '1'
-- @include state
-- @include value
local parts, sizes, total, limit = {}, {}, 0, tonumber(ARGV[4])
for i = 5, #ARGV, 2 do
  local database, key = ARGV[i], ARGV[i + 1]
  redis.call('SELECT', database)
  local entry, size = entry_of(key, string.sub(ARGV[3], #parts + 2, #parts + 2) == '1')
  parts[#parts + 1] = bulk(database) .. bulk(key) .. bulk(entry)
  sizes[#sizes + 1] = size
  total = total + size
  if total > limit then
    break
  end
end
redis.call('SELECT', 0)
redis.call('SET', KEYS[1], '*' .. 3 + 3 * #parts .. '\r\n' .. bulk('TANDEM.COMPARE') .. bulk(ARGV[1]) .. bulk(ARGV[2])
  .. table.concat(parts))
redis.call('UNLINK', KEYS[1])
return sizes
