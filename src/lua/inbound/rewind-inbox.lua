-- KEYS: received, inbox, fence   ARGV: token, epoch, n, id
-- The inbox does not hold what was noted as received: it is emptied, and the peer sends again what follows `n`. Capture sees the id
-- go by, and knows that what went by before it is in the list no more.
-- Result: OK. Errors: FENCED, STATE.
-- @include fence
local refused = fenced(KEYS[3], ARGV[1])
if refused then
  return refused
end
-- The first write is one that a full memory does not forbid.
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'n', ARGV[3], 'bytes', 0, 'rewound', ARGV[4])
return 'OK'
