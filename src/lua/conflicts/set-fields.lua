-- KEYS: key   ARGV: place of the deadline among them, command
-- Gives fields of a hash a value, and a deadline that may be past: then they end by themselves, behind the transaction.
-- Result: that of the command.
-- @include life
local words, at = { unpack(ARGV, 2) }, tonumber(ARGV[1])
words[at] = ahead(words[at])
return redis.call(unpack(words))
