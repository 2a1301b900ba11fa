-- KEYS: state, changes, fence
-- ARGV: token, epoch, expected next, next, replid, offset, database, seen epoch, seen, clock, limit in bytes,
--       the newest local sequence that places of lists were about (empty: not known), keys with local SETs that are to be put back (0:
--       none), batch...
-- Appends batches, or none, to the change list and moves the capture position past them, in one step. A list that would pass its
-- limit is dropped before: the application's memory is not filled for a peer that is away. `trimmed` and `last` say what is gone.
-- Result: { bytes, batches, batches dropped }. Errors: FENCED; STATE: the keys are not what this process left there.
-- @include fence
local refused = fenced(KEYS[3], ARGV[1])
if refused then
  return refused
end
local state = redis.call('HMGET', KEYS[1], 'epoch', 'next', 'bytes', 'last')
if state[1] ~= ARGV[2] or state[2] ~= ARGV[3] then
  return redis.error_reply('STATE epoch ' .. tostring(state[1]) .. ', next ' .. tostring(state[2]))
end
-- The first write is one that a full memory does not forbid; then none is. A captured change must not be lost to OOM.
redis.call('HDEL', KEYS[1], 'none')
-- A right that the account has lost ends a script in the middle, and what it wrote stays: the position must not move without the
-- batches, nor the batches stay without the position. What is needed to take them back is tried first, without effect.
redis.call('LTRIM', KEYS[2], 0, -1)
local length = redis.call('LLEN', KEYS[2])
local added, bytes, dropped = 0, tonumber(state[3]) or 0, 0
for i = 14, #ARGV do
  added = added + #ARGV[i]
  redis.call('RPUSH', KEYS[2], ARGV[i])
end
if bytes > 0 and bytes + added > tonumber(ARGV[11]) then
  dropped, bytes = length, 0
end
local last = added > 0 and { 'last', ARGV[4] - 1 } or {}
local moved = redis.pcall('HSET', KEYS[1], 'next', ARGV[4], 'replid', ARGV[5], 'offset', ARGV[6], 'database', ARGV[7],
  'seenEpoch', ARGV[8], 'seen', ARGV[9], 'clock', ARGV[10], 'bytes', bytes + added, 'overwritten', ARGV[13], unpack(last))
if type(moved) == 'table' and moved.err then
  if length > 0 then
    redis.call('LTRIM', KEYS[2], 0, length - 1)
  else
    redis.call('LTRIM', KEYS[2], 1, 0)
  end
  return moved
end
if ARGV[12] == '' then
  redis.call('HDEL', KEYS[1], 'noted')
else
  redis.call('HSET', KEYS[1], 'noted', ARGV[12])
end
if dropped > 0 then
  redis.call('LTRIM', KEYS[2], dropped, -1)
  redis.call('HSET', KEYS[1], 'trimmed', state[4] or 0)
end
return { bytes + added, redis.call('LLEN', KEYS[2]), dropped }
