-- KEYS: state, changes, fence
-- ARGV: token, expected next, epoch, next, replid, offset, database, seen epoch, seen, clock, last, batches, bytes, 1 where
--       nothing of the stream was missed
-- Begins a new epoch: the history of this site cannot be continued. The change list is from before and still good, but for
-- the newest `batches`, which are captured again under new numbers. `last` is the newest sequence that then remains.
-- Result: OK. Errors: FENCED, STATE.
-- @include fence
local refused = fenced(KEYS[3], ARGV[1])
if refused then
  return refused
end
local state = redis.call('HMGET', KEYS[1], 'next', 'bytes')
if state[1] ~= ARGV[2] then
  return redis.error_reply('STATE the position is not what this process left there')
end
-- A full memory does not forbid these, and an account that may not do them is refused before anything is noted.
redis.call('HDEL', KEYS[1], 'none')
redis.call('LTRIM', KEYS[2], 0, -1)
redis.call('HSET', KEYS[1], 'epoch', ARGV[3], 'next', ARGV[4], 'replid', ARGV[5], 'offset', ARGV[6], 'database', ARGV[7],
  'seenEpoch', ARGV[8], 'seen', ARGV[9], 'clock', ARGV[10], 'last', ARGV[11])
-- What local writes have met in what was missed is not known.
if ARGV[14] ~= '1' then
  redis.call('HDEL', KEYS[1], 'noted')
end
if ARGV[12] ~= '0' then
  redis.call('LTRIM', KEYS[2], 0, -1 - tonumber(ARGV[12]))
  redis.call('HSET', KEYS[1], 'bytes', string.format('%.0f', (tonumber(state[2]) or 0) - tonumber(ARGV[13])))
end
return 'OK'
