-- KEYS: claims, fence   ARGV: token, elements to be taken off, then chunks
-- Keeps who wrote which key when: adds chunks, and takes the oldest ones off.
-- Result: elements left. Errors: FENCED, STATE.
-- @include fence
local refused = fenced(KEYS[2], ARGV[1])
if refused then
  return refused
end
redis.call('LTRIM', KEYS[1], ARGV[2], -1)
for i = 3, #ARGV do
  redis.call('RPUSH', KEYS[1], ARGV[i])
end
return redis.call('LLEN', KEYS[1])
