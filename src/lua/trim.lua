-- KEYS: state, changes, fence   ARGV: token, epoch, batches, bytes
-- Takes the oldest batches off the change list: the peer has applied them.
-- Result: batches left. Errors: FENCED, STATE.
local fence = redis.call('GET', KEYS[3])
if not fence then
  return redis.error_reply('STATE the keys of this site are missing')
elseif fence ~= ARGV[1] then
  return redis.error_reply('FENCED another process works for this site')
end
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[2] then
  return redis.error_reply('STATE the epoch has changed')
end
redis.call('HINCRBY', KEYS[1], 'bytes', -tonumber(ARGV[4]))
-- LPOP with a count would send the batches back; the reply of LTRIM is empty.
redis.call('LTRIM', KEYS[2], ARGV[3], -1)
return redis.call('LLEN', KEYS[2])
