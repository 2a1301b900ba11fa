-- KEYS: key, assembly, assembled, replaced   ARGV: database, 1 if only where there is no such key, expiry in ms since 1970 or 0, then id,
--                   number of parts, type and length of the value
-- Gives a key the value that was put together from parts, whatever stood there. A name is changed, and what stood there is freed beside:
-- both take the server no time. The old value goes under a name of Tandem's own: in the stream its removal is none of the key's.
-- Result: 1 if the key has the value, 0 if there was one. Errors: TANDEM, the value has not come whole.
-- @include life
-- @include assembly
redis.call('SELECT', 0)
local found = assembled_of(KEYS[2], KEYS[3])
for i = 1, 4 do
  if found[i] ~= ARGV[i + 3] then
    return redis.error_reply('TANDEM the value has not come whole')
  end
end
redis.call('SELECT', ARGV[1])
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
if ARGV[1] ~= '0' then
  redis.call('UNLINK', KEYS[3])
  redis.call('SELECT', 0)
  redis.call('MOVE', KEYS[3], ARGV[1])
  redis.call('SELECT', ARGV[1])
end
redis.call('PERSIST', KEYS[3])
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('RENAME', KEYS[1], KEYS[4])
  redis.call('UNLINK', KEYS[4])
end
redis.call('RENAME', KEYS[3], KEYS[1])
if ARGV[3] ~= '0' then
  redis.call('PEXPIREAT', KEYS[1], ahead(ARGV[3]))
end
return 1
