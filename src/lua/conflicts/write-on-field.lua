-- KEYS: key, out   ARGV: database of the key, request, milliseconds since 1970, field, command
-- Runs a command that builds on a field of a hash, if that is there: where its life has ended it is not made anew. If the field should
-- be there until that time the peer is asked for the key. A deadline that is past ends it by itself, behind the transaction.
-- Result: 1 if it was run, else 0.
-- @include life
local now = now_ms()
if field_until(KEYS[1], ARGV[4]) == -2 then
  if tonumber(ARGV[3]) > now then
    redis.call('SELECT', 0)
    redis.call('SET', KEYS[2], ARGV[2])
    redis.call('DEL', KEYS[2])
    redis.call('SELECT', ARGV[1])
  end
  return 0
end
local command = { unpack(ARGV, 5) }
if string.upper(command[1]) == 'HPEXPIREAT' and tonumber(command[3]) <= now then
  command[3] = ahead(command[3])
end
redis.call(unpack(command))
return 1
