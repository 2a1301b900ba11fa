-- KEYS: changes, fence   ARGV: token, then elements
-- Takes off the change list what is no batch of this site's.
-- Result: elements left. Errors: FENCED, STATE.
local fence = redis.call('GET', KEYS[2])
if not fence then
  return redis.error_reply('STATE the keys of this site are missing')
elseif fence ~= ARGV[1] then
  return redis.error_reply('FENCED another process works for this site')
end
for i = 2, #ARGV do
  redis.call('LREM', KEYS[1], 1, ARGV[i])
end
return redis.call('LLEN', KEYS[1])
