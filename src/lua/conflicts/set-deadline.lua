-- KEYS: key   ARGV: milliseconds since 1970
-- Gives the key a deadline that may be past: then the key ends by itself, behind the transaction.
-- Result: 1 if it was given one, else 0.
-- @include life
return redis.call('PEXPIREAT', KEYS[1], ahead(ARGV[1]))
