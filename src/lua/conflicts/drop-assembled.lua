-- KEYS: assembly, assembled
-- Removes a value that was put together from parts, where it was of no use.
-- Result: keys removed.
redis.call('SELECT', 0)
return redis.call('UNLINK', KEYS[1], KEYS[2])
