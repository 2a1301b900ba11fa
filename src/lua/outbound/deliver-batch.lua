-- KEYS: received, inbox; site, for a batch that is packed
-- ARGV: pair and origin ("pair/site"), epoch, first, last, batch, the sequence right before `first` in the history; empty when
--       that is gone at the origin: the history is cut here, and the batch follows whatever came before;
--       by what the batch is packed, if it is
-- Puts a batch into the inbox if it is the next one. Run by the peer, whose account may touch these two keys alone.
-- Numbers are never used twice, in whatever epoch: that is what makes them comparable.
-- Result: { verdict, epoch, received, bytes }; verdict is accepted, duplicate, gap, epoch, full, unreadable, stranger, or
-- unready.
local r = redis.call('HMGET', KEYS[1], 'origin', 'epoch', 'n', 'bytes', 'limit')
local epoch, n, bytes, limit = tonumber(r[2]), tonumber(r[3]), tonumber(r[4]), tonumber(r[5])
if not (r[1] and epoch and n and bytes and limit) then
  return { 'unready', 0, 0, 0 }
end
if r[1] ~= ARGV[1] then
  return { 'stranger', epoch, n, bytes }
end
local itsEpoch, first, last, previous = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
if itsEpoch < epoch then
  return { 'epoch', epoch, n, bytes }
end
if itsEpoch == epoch and last <= n then
  return { 'duplicate', epoch, n, bytes }
end
if first <= n or (previous and previous > n) then
  return { 'gap', epoch, n, bytes }
end
-- What the process here can unpack stands behind the time of its start: an older one leaves there what a newer one has said.
if ARGV[7] then
  local site = redis.call('HMGET', KEYS[3], 'startedAt', 'reads')
  local start, reads = (site[1] or '') .. ' ', (site[2] or '') .. ' '
  if string.sub(reads, 1, #start) ~= start or not string.find(reads, ' ' .. ARGV[7] .. ' ', 1, true) then
    return { 'unreadable', epoch, n, bytes }
  end
end
-- An empty inbox has no bytes, whatever was noted; and a batch larger than the limit still passes, or it never would.
if redis.call('LLEN', KEYS[2]) == 0 then
  bytes = 0
end
if bytes > 0 and bytes + #ARGV[5] > limit then
  return { 'full', epoch, n, bytes }
end
bytes = bytes + #ARGV[5]
-- The first write is one that a full memory does not forbid: the inbox has a limit of its own.
redis.call('HDEL', KEYS[1], 'none')
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'n', ARGV[4], 'bytes', bytes)
-- A right that the account has lost ends a script in the middle, and what it wrote stays: what is noted without the batch would be
-- taken for delivered.
local pushed = redis.pcall('RPUSH', KEYS[2], ARGV[5])
if type(pushed) == 'table' and pushed.err then
  redis.call('HSET', KEYS[1], 'epoch', r[2], 'n', r[3], 'bytes', r[4])
  return pushed
end
if not previous then
  redis.call('HSET', KEYS[1], 'cut', ARGV[3])
end
return { 'accepted', itsEpoch, last, bytes }
