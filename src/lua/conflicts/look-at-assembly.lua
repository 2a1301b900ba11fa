-- KEYS: assembly, assembled   ARGV: ms
-- What is known of the value that is being put together from parts.
-- Result: its id, number of parts, type and length; nothing where there is none, or it ends within so many ms.
-- @include assembly
local left = redis.call('PTTL', KEYS[2])
if left >= 0 and left < tonumber(ARGV[1]) then
  return {}
end
return assembled_of(KEYS[1], KEYS[2])
