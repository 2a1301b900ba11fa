-- KEYS: none   ARGV: database, cursor, count
-- Looks which of some keys have a deadline.
-- Result: { cursor, key, milliseconds since 1970, … }
-- @include state
redis.call('SELECT', ARGV[1])
local cursor, keys = unpack(redis.call('SCAN', ARGV[2], 'COUNT', ARGV[3]))
local found = { cursor }
for _, key in ipairs(keys) do
  local at = expiry_of(key)
  if at > 0 then
    found[#found + 1] = key
    found[#found + 1] = string.format('%.0f', at)
  end
end
redis.call('SELECT', 0)
return found
