-- KEYS: key, an internal key   ARGV: 1 if only where there is no such key, expiry in ms since 1970 or 0, dump or nothing, then, in place
--       of a dump, per command: number of arguments, arguments
-- Gives a key in the selected database the value of a dump, or of the commands that make it, which run on the internal key first: a key is
-- as it was, or whole. An error of any of them is that of the script.
-- Result: 1 if the key has the value, 0 if there was one.
-- @include life
if ARGV[1] == '1' and redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local dump, at = ARGV[3], 4
redis.call('DEL', KEYS[2])
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  local parts = { unpack(ARGV, at + 1, at + count) }
  parts[parts[1] == 'XGROUP' and 3 or 2] = KEYS[2]
  local reply = redis.pcall(unpack(parts))
  if type(reply) == 'table' and reply.err then
    redis.call('DEL', KEYS[2])
    return reply
  end
  at = at + count + 1
end
if dump == '' then
  dump = redis.call('DUMP', KEYS[2])
  redis.call('DEL', KEYS[2])
end
redis.call('RESTORE', KEYS[1], 0, dump, 'REPLACE')
if ARGV[2] ~= '0' then
  redis.call('PEXPIREAT', KEYS[1], ahead(ARGV[2]))
end
return 1
