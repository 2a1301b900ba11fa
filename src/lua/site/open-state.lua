-- KEYS: state, received, applied, fence, site, inbox
-- ARGV: token, origin of what is received ("pair/peer"), inbox limit in bytes, pair, site, version, time, epoch and next of a
--       new history, then what this process remembers, 0 when nothing:
--       applied epoch, applied, replid, offset, database, seen epoch, seen, clock, last, trimmed, bytes, noted (empty: nothing);
--       a name for this Redis if it has none; then fields and values that the peer is to read
-- Makes the internal keys what a working process expects: creates those that are missing, leaves the others.
-- A hash with fields that are no numbers counts as missing. When the state is gone, history goes on in a new epoch from what is remembered.
-- Result: { state, received, applied } as flat arrays. Errors: FENCED, STATE.
-- @include fence
local refused = fenced(KEYS[4], ARGV[1])
if refused then
  return refused
end
-- @include fields
if not is_sound(KEYS[1], STATE_TEXTS, 'epoch', 'next') then
  redis.call('HDEL', KEYS[1], 'next', 'site')
end
local owner = redis.call('HGET', KEYS[1], 'site')
if owner and owner ~= ARGV[5] then
  return redis.error_reply('STATE this Redis is that of site ' .. owner)
end
if redis.call('HGET', KEYS[1], 'next') == false then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[8], 'next', ARGV[9], 'clock', ARGV[17], 'last', ARGV[18], 'trimmed', ARGV[19],
    'bytes', ARGV[20])
  if ARGV[21] ~= '' then
    redis.call('HSET', KEYS[1], 'noted', ARGV[21])
  end
  -- Somebody has worked here, and nobody knows how far the stream was read.
  if ARGV[12] == '' and redis.call('HEXISTS', KEYS[2], 'n') == 1 then
    redis.call('HSET', KEYS[1], 'forgotten', 1)
  end
  if ARGV[12] ~= '' then
    redis.call('HSET', KEYS[1], 'replid', ARGV[12], 'offset', ARGV[13], 'database', ARGV[14], 'seenEpoch', ARGV[15], 'seen', ARGV[16])
  end
end
local receives = is_sound(KEYS[2], RECEIVED_TEXTS, 'epoch', 'n', 'bytes')
if not is_sound(KEYS[3], APPLIED_TEXTS, 'epoch', 'n') then
  local epoch, n = ARGV[10], ARGV[11]
  -- Who remembers nothing goes by what was received, less what still waits: what was applied must not be applied again.
  if n == '0' and receives then
    local head = redis.call('LINDEX', KEYS[6], 0)
    if head then
      -- The first elements of a batch: version, pair, origin, epoch, first.
      local isRead, _, _, _, _, itsEpoch, first = pcall(cmsgpack.unpack_limit, head, 5, 1)
      if isRead and tonumber(itsEpoch) and tonumber(first) then
        epoch, n = string.format('%.0f', itsEpoch), string.format('%.0f', first - 1)
      end
    else
      epoch, n = unpack(redis.call('HMGET', KEYS[2], 'epoch', 'n'))
    end
  end
  redis.call('DEL', KEYS[3])
  redis.call('HSET', KEYS[3], 'epoch', epoch, 'n', n, 'decided', 0)
  -- A part of it was there.
  if ARGV[21] == '' then
    redis.call('HDEL', KEYS[1], 'noted')
  else
    redis.call('HSET', KEYS[1], 'noted', ARGV[21])
  end
end
if not receives then
  -- What was delivered and not applied is gone with the key: the peer still has it and sends it again.
  local applied = redis.call('HMGET', KEYS[3], 'epoch', 'n')
  redis.call('DEL', KEYS[2], KEYS[6])
  redis.call('HSET', KEYS[2], 'epoch', applied[1], 'n', applied[2], 'bytes', 0)
elseif redis.call('LLEN', KEYS[6]) == 0 then
  redis.call('HSET', KEYS[2], 'bytes', 0)
end
redis.call('HSET', KEYS[2], 'origin', ARGV[2], 'limit', ARGV[3])
-- Once where the peer can read it, once where it cannot write it.
redis.call('HSET', KEYS[5], 'pair', ARGV[4], 'site', ARGV[5], 'version', ARGV[6], 'startedAt', ARGV[7], unpack(ARGV, 23))
-- A copy of the data has the same one.
redis.call('HSETNX', KEYS[5], 'born', ARGV[22])
redis.call('HSET', KEYS[1], 'pair', ARGV[4], 'site', ARGV[5])
return { redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]) }
