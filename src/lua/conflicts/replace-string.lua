-- KEYS: string   ARGV: a command that replaces the whole string and leaves its expiry
-- Runs it where there is a string or nothing, and not on another type.
-- Result: 1 if it ran, else 0.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'string' and kind ~= 'none' then
  return 0
end
redis.call(unpack(ARGV))
return 1
