-- KEYS: applied, key, out   ARGV: database of the key, request, or nothing
-- Behind it: the key keeps the deadline it had, if it is there and has been given none. Then the peer is asked for it, where a request
-- is given.
-- Result: 1 if it was given one, else 0.
-- @include life
redis.call('SELECT', 0)
local at = redis.call('HGET', KEYS[1], 'held') or '0'
redis.call('HDEL', KEYS[1], 'held')
redis.call('SELECT', ARGV[1])
if at == '0' or redis.call('PTTL', KEYS[2]) ~= -1 then
  return 0
end
redis.call('PEXPIREAT', KEYS[2], ahead(at))
if ARGV[2] ~= '' then
  redis.call('SELECT', 0)
  redis.call('SET', KEYS[3], ARGV[2])
  redis.call('DEL', KEYS[3])
  redis.call('SELECT', ARGV[1])
end
return 1
