-- KEYS: applied   ARGV: per command: number of arguments, arguments
-- Runs the commands that a conflict is resolved with. What no longer fits (a field for what has become a string) has no effect,
-- and its error is no failed change: end-transaction.lua must not count it.
-- Result: commands that failed.
local at, failed = 1, 0
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  local reply = redis.pcall(unpack(ARGV, at + 1, at + count))
  if type(reply) == 'table' and reply.err then
    failed = failed + 1
  end
  at = at + count + 1
end
if failed > 0 then
  redis.call('SELECT', 0)
  redis.call('HINCRBY', KEYS[1], 'errors', failed)
end
return failed
