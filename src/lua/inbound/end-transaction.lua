-- KEYS: applied, received, inbox   ARGV: n, bytes of the batch
-- Last in the transaction: takes the applied batch out of the inbox, unless a command of it failed. Then it stays, marked
-- suspect, until what failed is on the rejected list (reject-commands.lua): a process that dies in between leaves no failure unknown.
-- Result: OK. Errors: SUSPECT.
local errors = string.match(redis.call('INFO', 'stats'), 'total_error_replies:(%d+)')
if redis.call('HGET', KEYS[1], 'errors') ~= errors then
  redis.call('HSET', KEYS[1], 'suspect', ARGV[1])
  return redis.error_reply('SUSPECT a command failed')
end
redis.call('HINCRBY', KEYS[2], 'bytes', -tonumber(ARGV[2]))
local taken = redis.pcall('LTRIM', KEYS[3], 1, -1)
if taken.err then
  redis.call('HINCRBY', KEYS[2], 'bytes', ARGV[2])
  return taken
end
return 'OK'
