-- KEYS: out   ARGV: site, versions of dumps the peer takes, 1 if fields of a hash can expire, then per key: database, key,
--                   rank timestamp, newest local sequence the peer may not have seen, 1 if its elements are asked for, 1 if the peer's
--                   value may lack what nobody took from it
-- Writes the state of keys to an internal key and removes it again: capture takes it out of the replication stream as a TANDEM.STATE
-- change at this very place in the order. (A message would need no key, but any account that may publish could forge one, and
-- any subscriber could read it.)
-- Result: OK.
local fields_expire = ARGV[3] == '1'
-- @include state
-- @include elements
local site = bulk(ARGV[1])
for i = 4, #ARGV, 6 do
  redis.call('SELECT', ARGV[i])
  local key = ARGV[i + 1]
  local bulks = { database = bulk(ARGV[i]), rank = bulk(ARGV[i + 2]), site = site, since = bulk(ARGV[i + 3]) }
  local state = state_of(key, redis.call('DUMP', key), bulks,
    { accepted = ARGV[2], wants_elements = ARGV[i + 4] == '1', whole = ARGV[i + 5] == '1' })
  redis.call('SELECT', 0)
  redis.call('SET', KEYS[1], state)
end
redis.call('UNLINK', KEYS[1])
return 'OK'
