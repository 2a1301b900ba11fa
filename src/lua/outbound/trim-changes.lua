-- KEYS: state, changes, fence   ARGV: token, epoch, batches, bytes, trimmed so far, trimmed
-- Takes the oldest batches off the change list, up to the sequence `trimmed`: the peer has applied them.
-- Result: batches left. Errors: FENCED; STATE: another epoch, or others have been taken off meanwhile.
-- @include fence
local refused = fenced(KEYS[3], ARGV[1])
if refused then
  return refused
end
local state = redis.call('HMGET', KEYS[1], 'epoch', 'trimmed')
if state[1] ~= ARGV[2] or (state[2] or '0') ~= ARGV[5] then
  return redis.error_reply('STATE epoch ' .. tostring(state[1]) .. ', trimmed ' .. tostring(state[2]))
end
-- First, because a full memory does not forbid it: this is what frees memory. LPOP with a count would send the batches back.
redis.call('LTRIM', KEYS[2], ARGV[3], -1)
redis.call('HSET', KEYS[1], 'trimmed', ARGV[6])
redis.call('HINCRBY', KEYS[1], 'bytes', -tonumber(ARGV[4]))
return redis.call('LLEN', KEYS[2])
