-- KEYS: received, inbox   ARGV: pair and origin ("pair/site"), epoch, first, last, batch, 1 if it is the oldest its origin has of that epoch
-- Puts a batch into the inbox if it is the next one. Run by the peer, whose account may touch these two keys alone.
-- Result: { verdict, epoch, received, bytes }; verdict is accepted, duplicate, gap, epoch, full, stranger, or unready.
local r = redis.call('HMGET', KEYS[1], 'origin', 'epoch', 'n', 'bytes', 'limit')
local epoch, n, bytes, limit = tonumber(r[2]), tonumber(r[3]), tonumber(r[4]), tonumber(r[5])
if not (r[1] and epoch and n and bytes and limit) then
  return { 'unready', 0, 0, 0 }
end
if r[1] ~= ARGV[1] then
  return { 'stranger', epoch, n, bytes }
end
local itsEpoch, first, last = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if itsEpoch < epoch then
  return { 'epoch', epoch, n, bytes }
end
if itsEpoch == epoch and last <= n then
  return { 'duplicate', epoch, n, bytes }
end
-- A new epoch may begin anywhere, but only with its oldest batch: when that one was refused, those sent behind it must not pass.
if first ~= n + 1 and not (itsEpoch > epoch and ARGV[6] == '1') then
  return { 'gap', epoch, n, bytes }
end
-- A batch larger than the limit still passes when nothing else waits, or it never would.
if bytes > 0 and bytes + #ARGV[5] > limit then
  return { 'full', epoch, n, bytes }
end
bytes = bytes + #ARGV[5]
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'n', ARGV[4], 'bytes', bytes)
redis.call('RPUSH', KEYS[2], ARGV[5])
return { 'accepted', itsEpoch, last, bytes }
