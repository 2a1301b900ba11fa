-- KEYS: key   ARGV: milliseconds since 1970
-- Gives the key a deadline if it is there and has none.
-- Result: 1 if it was given one, else 0.
-- @include life
if redis.call('PTTL', KEYS[1]) ~= -1 then
  return 0
end
return redis.call('PEXPIREAT', KEYS[1], ahead(ARGV[1]))
