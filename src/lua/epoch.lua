-- KEYS: state, changes, fence   ARGV: token, epoch, next, replid, offset, database, seen epoch, seen, clock, keep or drop
-- Begins a new epoch: the history of this site was cut. What the change list holds is from before the cut and still good, unless
-- it is to be dropped because it reached its bound.
-- Result: batches dropped. Errors: FENCED.
local fence = redis.call('GET', KEYS[3])
if not fence then
  return redis.error_reply('STATE the keys of this site are missing')
elseif fence ~= ARGV[1] then
  return redis.error_reply('FENCED another process works for this site')
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'next', ARGV[3], 'replid', ARGV[4], 'offset', ARGV[5], 'database', ARGV[6],
  'seenEpoch', ARGV[7], 'seen', ARGV[8], 'clock', ARGV[9])
if ARGV[10] == 'keep' then
  return 0
end
local dropped = redis.call('LLEN', KEYS[2])
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'bytes', 0)
return dropped
