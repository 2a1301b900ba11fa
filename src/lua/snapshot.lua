-- KEYS: out   ARGV: site, then per key: database, key, rank timestamp, newest own sequence the peer may not have seen
-- Writes the state of keys to an own key and removes it again: capture takes it out of the replication stream as a TANDEM.STATE
-- change at this very place in the order. (A message would need no key, but any account that may publish could forge one, and
-- any subscriber could read it.)
-- Result: OK.
-- @include state
for i = 2, #ARGV, 4 do
  write_state(KEYS[1], { database = ARGV[i], key = ARGV[i + 1], rank = ARGV[i + 2], since = ARGV[i + 3], site = ARGV[1] })
end
redis.call('UNLINK', KEYS[1])
return 'OK'
