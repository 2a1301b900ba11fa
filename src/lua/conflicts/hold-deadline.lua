-- KEYS: applied, key
-- Before what a removal has not seen is made again: keeps in mind when the key, in the selected database, expires.
-- Result: milliseconds since 1970, or 0.
-- @include state
local at = expiry_of(KEYS[2])
redis.call('SELECT', 0)
redis.call('HSET', KEYS[1], 'held', string.format('%.0f', at))
return at
