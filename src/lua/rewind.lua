-- KEYS: received, inbox, fence   ARGV: token, epoch, n, bytes
-- Says what the inbox really holds, when that is not what was noted as received: the peer then sends the rest again.
-- Result: OK. Errors: FENCED.
local fence = redis.call('GET', KEYS[3])
if not fence then
  return redis.error_reply('STATE the keys of this site are missing')
elseif fence ~= ARGV[1] then
  return redis.error_reply('FENCED another process works for this site')
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'n', ARGV[3], 'bytes', ARGV[4])
if ARGV[4] == '0' then
  redis.call('DEL', KEYS[2])
end
return 'OK'
