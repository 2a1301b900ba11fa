-- KEYS: out   ARGV: command
-- Writes a command of Tandem's own to its key and removes it again: capture takes it out of the stream at this place in the order.
-- Result: OK.
redis.call('SET', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[1])
return 'OK'
