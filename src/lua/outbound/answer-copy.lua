-- KEYS: copy   ARGV: id of the request, then fields and values
-- The site whose data was copied answers where in its history the copy stands. Run by the peer, whose account may touch this key.
-- Result: 1; 0 when the request is gone, or another one.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  return 0
end
-- The first write is one that a full memory does not forbid.
redis.call('HDEL', KEYS[1], 'none')
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
