-- KEYS: paused   ARGV: milliseconds since 1970, directions
-- Pauses directions; one that is paused already keeps its beginning.
-- Result: OK.
-- The first write is one that a full memory does not forbid: a person may pause because of it.
redis.call('HDEL', KEYS[1], 'none')
for i = 2, #ARGV do
  redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[1])
end
return 'OK'
