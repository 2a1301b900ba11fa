-- KEYS: changes, fence   ARGV: token, then elements
-- Takes off the change list what is no batch of this site's.
-- Result: elements left. Errors: FENCED, STATE.
-- @include fence
local refused = fenced(KEYS[2], ARGV[1])
if refused then
  return refused
end
for i = 2, #ARGV do
  redis.call('LREM', KEYS[1], 1, ARGV[i])
end
return redis.call('LLEN', KEYS[1])
