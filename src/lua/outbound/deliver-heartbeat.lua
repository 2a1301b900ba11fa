-- KEYS: received   ARGV: pair and origin, epoch, beat, seen epoch, seen, clock
-- Heartbeat: after its changes up to `beat` the origin has applied ours up to `seen`. Run by the peer.
-- Result: { verdict, epoch, received }; verdict is accepted, epoch, stranger or unready.
local r = redis.call('HMGET', KEYS[1], 'origin', 'epoch', 'n')
if not (r[1] and r[2] and r[3]) then
  return { 'unready', 0, 0 }
end
if r[1] ~= ARGV[1] then
  return { 'stranger', tonumber(r[2]), tonumber(r[3]) }
end
-- A newer epoch has not sent its first batch yet; what it says of us is good all the same.
if tonumber(ARGV[2]) < tonumber(r[2]) then
  return { 'epoch', tonumber(r[2]), tonumber(r[3]) }
end
-- The first write is one that a full memory does not forbid: what the peer lets go of after this frees memory.
redis.call('HDEL', KEYS[1], 'none')
redis.call('HSET', KEYS[1], 'beat', ARGV[3], 'beatSeenEpoch', ARGV[4], 'beatSeen', ARGV[5], 'beatClock', ARGV[6])
return { 'accepted', tonumber(r[2]), tonumber(r[3]) }
