-- KEYS: all keys of the site, the state first   ARGV: database
-- Brings the site's own keys back to database 0 when SWAPDB has taken them to another one.
-- Result: keys moved.
redis.call('SELECT', ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local moved = 0
for _, key in ipairs(KEYS) do
  redis.call('SELECT', 0)
  redis.call('DEL', key)
  redis.call('SELECT', ARGV[1])
  moved = moved + redis.call('MOVE', key, 0)
end
return moved
