-- KEYS: received, inbox, fence   ARGV: token, epoch, n, id
-- The inbox does not hold what was noted as received: it is emptied, and the peer sends again what follows `n`. Capture sees the id
-- go by, and knows that what went by before it is in the list no more.
-- Result: OK. Errors: FENCED, STATE.
-- @include fence
local refused = fenced(KEYS[3], ARGV[1])
if refused then
  return refused
end
local before = redis.call('HMGET', KEYS[1], 'epoch', 'n', 'bytes', 'rewound')
-- The first write is one that a full memory does not forbid.
redis.call('HDEL', KEYS[1], 'none')
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'n', ARGV[3], 'bytes', 0, 'rewound', ARGV[4])
-- A right that the account has lost ends a script in the middle, and what it wrote stays.
local emptied = redis.pcall('DEL', KEYS[2])
if type(emptied) == 'table' and emptied.err then
  for i, field in ipairs({ 'epoch', 'n', 'bytes', 'rewound' }) do
    if before[i] then
      redis.call('HSET', KEYS[1], field, before[i])
    else
      redis.call('HDEL', KEYS[1], field)
    end
  end
  return emptied
end
return 'OK'
