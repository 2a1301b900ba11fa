-- KEYS: received, inbox, fence   ARGV: token, epoch, n, id
-- The inbox does not hold what was noted as received: it is emptied, and the peer sends again what follows `n`. Capture sees the id
-- go by, and knows that what went by before it is in the list no more.
-- Result: OK. Errors: FENCED, STATE.
local fence = redis.call('GET', KEYS[3])
if not fence then
  return redis.error_reply('STATE the keys of this site are missing')
elseif fence ~= ARGV[1] then
  return redis.error_reply('FENCED another process works for this site')
end
-- The first write is one that a full memory does not forbid.
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'n', ARGV[3], 'bytes', 0, 'rewound', ARGV[4])
return 'OK'
