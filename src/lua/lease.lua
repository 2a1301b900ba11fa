-- KEYS: lease, fence   ARGV: process, milliseconds, take or keep
-- Takes the lease of this site, or makes it last longer. Whoever takes it gets a new fencing token, which every write checks; so
-- does its holder, when it begins again: what it had sent before on a connection that broke must not count when it arrives late.
-- Tokens come from the clock, so that one given out before the keys were flushed is not given out again.
-- Result: { token, 0 } for the holder; { 0, milliseconds until the other's lease ends } for anyone else.
-- What somebody else has written there is no lease: it would never end, or never be read. Neither is it a token.
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'string' and kind ~= 'none' then
    redis.call('DEL', key)
  end
end
if redis.call('PTTL', KEYS[1]) == -1 then
  redis.call('DEL', KEYS[1])
end
local holder = redis.call('GET', KEYS[1])
local token = tonumber(redis.call('GET', KEYS[2])) or 0
if holder and holder ~= ARGV[1] then
  return { 0, redis.call('PTTL', KEYS[1]) }
end
if holder then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  if ARGV[3] == 'keep' then
    return { token, 0 }
  end
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
local now = redis.call('TIME')
token = math.max(token + 1, now[1] * 1000000 + now[2])
redis.call('SET', KEYS[2], string.format('%.0f', token))
return { token, 0 }
