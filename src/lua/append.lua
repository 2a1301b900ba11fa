-- KEYS: state, changes, fence   ARGV: token, epoch, expected next, next, replid, offset, database, seen epoch, seen, clock, batch...
-- Appends batches to the change list and moves the capture position past them, in one step.
-- Result: bytes in the change list. Errors: FENCED; STATE: the keys are not what this process left there.
local fence, state = redis.call('GET', KEYS[3]), redis.call('HMGET', KEYS[1], 'epoch', 'next')
if not fence then
  return redis.error_reply('STATE the keys of this site are missing')
elseif fence ~= ARGV[1] then
  return redis.error_reply('FENCED another process works for this site')
end
if state[1] ~= ARGV[2] or state[2] ~= ARGV[3] then
  return redis.error_reply('STATE epoch ' .. tostring(state[1]) .. ', next ' .. tostring(state[2]))
end
redis.call('HSET', KEYS[1], 'next', ARGV[4], 'replid', ARGV[5], 'offset', ARGV[6], 'database', ARGV[7],
  'seenEpoch', ARGV[8], 'seen', ARGV[9], 'clock', ARGV[10])
local bytes = 0
for i = 11, #ARGV do
  bytes = bytes + #ARGV[i]
  redis.call('RPUSH', KEYS[2], ARGV[i])
end
return redis.call('HINCRBY', KEYS[1], 'bytes', bytes)
