-- KEYS: state, changes, fence   ARGV: token, epoch, batches, bytes, trimmed so far, trimmed
-- Takes the oldest batches off the change list, up to the sequence `trimmed`: the peer has applied them.
-- Result: batches left. Errors: FENCED; STATE: another epoch, or others have been taken off meanwhile.
-- @include fence
local refused = fenced(KEYS[3], ARGV[1])
if refused then
  return refused
end
local state = redis.call('HMGET', KEYS[1], 'epoch', 'trimmed', 'bytes')
if state[1] ~= ARGV[2] or (state[2] or '0') ~= ARGV[5] then
  return redis.error_reply('STATE epoch ' .. tostring(state[1]) .. ', trimmed ' .. tostring(state[2]))
end
local length = redis.call('LLEN', KEYS[2])
-- First without effect: a full memory does not forbid it, and an account that may not do it is refused before anything is noted.
redis.call('LTRIM', KEYS[2], 0, -1)
redis.call('HSET', KEYS[1], 'trimmed', ARGV[6], 'bytes', string.format('%.0f', (tonumber(state[3]) or 0) - tonumber(ARGV[4])))
-- LPOP with a count would send the batches back.
redis.call('LTRIM', KEYS[2], ARGV[3], -1)
return math.max(0, length - tonumber(ARGV[3]))
