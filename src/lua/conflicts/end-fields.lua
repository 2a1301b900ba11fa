-- KEYS: key   ARGV: milliseconds since 1970, field, …
-- Ends fields of a hash at their deadline, unless it was put off, or they have none.
-- Result: how many.
-- @include life
local over, ended = math.max(tonumber(ARGV[1]), now_ms()), 0
for i = 2, #ARGV do
  local at = field_until(KEYS[1], ARGV[i])
  if at > 0 and at <= over then
    ended = ended + redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return ended
