-- KEYS: status   ARGV: status as JSON, milliseconds
-- Writes what the running process says of itself, also where the server's memory is full: then it is asked for most.
-- Result: OK. No errors of its own.
-- The first write is one that a full memory does not forbid.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
