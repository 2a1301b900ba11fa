-- KEYS: fence, lease, then all other keys of the site, the state first   ARGV: token, database
-- Brings the internal keys back to database 0 when SWAPDB has taken them to another one. The fence and the lease there count
-- only if there are none in database 0: whoever works has the ones in database 0.
-- Result: keys moved. Errors: FENCED.
redis.call('SELECT', ARGV[2])
if redis.call('EXISTS', KEYS[3]) == 0 then
  return 0
end
local there = redis.call('GET', KEYS[1])
redis.call('SELECT', 0)
local fence = redis.call('GET', KEYS[1])
if (fence or there) ~= ARGV[1] then
  return redis.error_reply('FENCED another process works for this site')
end
local moved = 0
for i, key in ipairs(KEYS) do
  redis.call('SELECT', 0)
  if i > 2 then
    redis.call('DEL', key)
  end
  redis.call('SELECT', ARGV[2])
  moved = moved + redis.call('MOVE', key, 0)
  redis.call('DEL', key)
end
return moved
