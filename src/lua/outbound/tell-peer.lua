-- KEYS: received   ARGV: pair and origin, what the origin's site says of itself
-- How the other site is: for this one's status. Run by the peer.
-- Result: accepted, stranger or unready.
local r = redis.call('HMGET', KEYS[1], 'origin', 'n')
if not (r[1] and r[2]) then
  return 'unready'
end
if r[1] ~= ARGV[1] then
  return 'stranger'
end
-- The first write is one that a full memory does not forbid.
redis.call('HDEL', KEYS[1], 'none')
redis.call('HSET', KEYS[1], 'told', ARGV[2])
return 'accepted'
