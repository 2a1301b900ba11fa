-- KEYS: lease, fence   ARGV: process, milliseconds, take or keep
-- Takes the lease of this site, or makes it last longer. Whoever takes it gets a new fencing token, which every write checks; so
-- does its holder, when it begins again: what it had sent before on a connection that broke must not count when it arrives late.
-- Result: { token, 0 } for the holder; { 0, milliseconds until the other's lease ends } for anyone else.
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  if ARGV[3] == 'take' then
    return { redis.call('INCR', KEYS[2]), 0 }
  end
  return { tonumber(redis.call('GET', KEYS[2])) or 0, 0 }
end
if holder then
  return { 0, redis.call('PTTL', KEYS[1]) }
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { redis.call('INCR', KEYS[2]), 0 }
