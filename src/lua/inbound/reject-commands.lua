-- KEYS: applied, received, inbox, fence, rejected, site   ARGV: token, n, bytes of the batch, cap, then per failure: sequence, database, command, key, error
-- Ends a suspect run: lists what failed, takes the batch out of the inbox.
-- Result: OK. Errors: FENCED, POSITION.
-- @include fence
local refused = fenced(KEYS[4], ARGV[1])
if refused then
  return refused
end
if redis.call('HGET', KEYS[1], 'suspect') ~= ARGV[2] then
  return redis.error_reply('POSITION the suspect run is another one')
end
-- First of all one that a full memory forbids: if the list cannot be written to, the run stays suspect. What an account may have lost
-- the right to is tried without effect before the list is written to: or the same failures were listed at each attempt.
redis.call('HINCRBY', KEYS[2], 'bytes', -tonumber(ARGV[3]))
local function taken_back(reply)
  if type(reply) == 'table' and reply.err then
    redis.call('HINCRBY', KEYS[2], 'bytes', ARGV[3])
    return reply
  end
end
local lost = taken_back(redis.pcall('HDEL', KEYS[1], 'none')) or taken_back(redis.pcall('LTRIM', KEYS[3], 0, -1))
if lost then
  return lost
end
for i = 5, #ARGV, 5 do
  lost = taken_back(redis.pcall('XADD', KEYS[5], 'MAXLEN', '~', ARGV[4], '*', 'sequence', ARGV[i], 'database', ARGV[i + 1],
    'command', ARGV[i + 2], 'key', ARGV[i + 3], 'error', ARGV[i + 4]))
  -- The first of them, then.
  if lost then
    return lost
  end
  -- The peer sent it, and wants to know that it did not come to be here.
  if string.find(string.sub(ARGV[i + 2], 1, 32), 'TANDEM.STATE', 1, true) then
    redis.call('HINCRBY', KEYS[6], 'refused', 1)
  end
end
redis.call('HDEL', KEYS[1], 'suspect')
redis.call('LTRIM', KEYS[3], 1, -1)
return 'OK'
