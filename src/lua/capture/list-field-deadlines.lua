-- KEYS: none   ARGV: database, cursor, count
-- Looks which fields of some hashes have a deadline.
-- Result: { cursor, { key, field, milliseconds since 1970, … }, … }
-- @include deadlines
redis.call('SELECT', ARGV[1])
local cursor, keys = unpack(redis.call('SCAN', ARGV[2], 'COUNT', ARGV[3], 'TYPE', 'hash'))
local answer = { cursor }
for _, key in ipairs(keys) do
  local found = field_deadlines(key)
  if #found > 0 then
    table.insert(found, 1, key)
    answer[#answer + 1] = found
  end
end
redis.call('SELECT', 0)
return answer
