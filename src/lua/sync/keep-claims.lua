-- KEYS: claims, fence   ARGV: token, elements to be taken off, then chunks
-- Keeps who wrote which key when: adds chunks, and takes the oldest ones off.
-- Result: elements left. Errors: FENCED, STATE.
local fence = redis.call('GET', KEYS[2])
if not fence then
  return redis.error_reply('STATE the keys of this site are missing')
elseif fence ~= ARGV[1] then
  return redis.error_reply('FENCED another process works for this site')
end
redis.call('LTRIM', KEYS[1], ARGV[2], -1)
for i = 3, #ARGV do
  redis.call('RPUSH', KEYS[1], ARGV[i])
end
return redis.call('LLEN', KEYS[1])
