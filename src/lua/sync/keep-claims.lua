-- KEYS: claims, fence   ARGV: token, elements to be taken off, then chunks
-- Keeps who wrote which key when: adds chunks, and takes the oldest ones off.
-- Result: elements left. Errors: FENCED, STATE.
-- @include fence
local refused = fenced(KEYS[2], ARGV[1])
if refused then
  return refused
end
-- First without effect: a full memory does not forbid it, and an account that may not do it is refused before anything is added.
redis.call('LTRIM', KEYS[1], 0, -1)
local length = redis.call('LLEN', KEYS[1])
for i = 3, #ARGV do
  redis.call('RPUSH', KEYS[1], ARGV[i])
end
redis.call('LTRIM', KEYS[1], math.min(length, tonumber(ARGV[2])), -1)
return redis.call('LLEN', KEYS[1])
