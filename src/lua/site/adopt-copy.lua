-- KEYS: fence, copy, state, applied, received, site, changes, inbox
-- ARGV: token, id of the request, pair, site, peer, epoch and next of a new history, replid and offset (empty: the present), time,
--       cut to be repaired (empty: none)
-- Makes the internal keys in a copy of the peer's data those of this site, in one step. What the peer has changed up to the place it has
-- named is applied, for it is in the copy; nothing of this site's is on its way; no first copy is due.
-- Result: OK. Errors: FENCED, STATE.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('FENCED another process works for this site')
end
local id, epoch, n, received = unpack(redis.call('HMGET', KEYS[2], 'id', 'placeEpoch', 'place', 'received'))
if id ~= ARGV[2] or not (epoch and n and received) then
  return redis.error_reply('STATE the request is not answered')
end
if redis.call('HGET', KEYS[3], 'site') ~= ARGV[5] then
  return redis.error_reply('STATE this is no copy of the peer')
end
local clock = redis.call('HGET', KEYS[3], 'clock') or 0
-- Without effect: an account that may not do it is refused before anything is gone.
redis.call('HSET', KEYS[2], 'id', id)
redis.call('DEL', unpack(KEYS, 2))
redis.call('HSET', KEYS[3], 'pair', ARGV[3], 'site', ARGV[4], 'epoch', ARGV[6], 'next', ARGV[7], 'last', received, 'trimmed', received,
  'bytes', 0, 'clock', clock, 'copied', 1)
if ARGV[8] ~= '' then
  redis.call('HSET', KEYS[3], 'replid', ARGV[8], 'offset', ARGV[9], 'database', 0, 'seenEpoch', epoch, 'seen', n)
end
if ARGV[11] ~= '' then
  redis.call('HSET', KEYS[3], 'repair', ARGV[11])
end
redis.call('HSET', KEYS[4], 'epoch', epoch, 'n', n, 'decided', 0)
-- Without a limit nothing is delivered before a process has begun to work.
redis.call('HSET', KEYS[5], 'origin', ARGV[3] .. '/' .. ARGV[5], 'epoch', epoch, 'n', n, 'bytes', 0)
redis.call('HSET', KEYS[6], 'pair', ARGV[3], 'site', ARGV[4], 'adopted', ARGV[10])
return 'OK'
