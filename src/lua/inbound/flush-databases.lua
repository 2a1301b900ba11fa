-- KEYS: all keys of the site   ARGV: databases of the server, first and last database to empty, then database and name of keys that stay
-- FLUSHALL or FLUSHDB as a change of the peer: everything goes but the internal keys, which wait in the last database meanwhile.
-- Result: OK.
-- @include state
local spare, first, last = tonumber(ARGV[1]) - 1, tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = {}
for i = 4, #ARGV, 2 do
  redis.call('SELECT', ARGV[i])
  local dump = redis.call('DUMP', ARGV[i + 1])
  if dump then
    kept[#kept + 1] = { ARGV[i], ARGV[i + 1], dump, expiry_of(ARGV[i + 1]) }
  end
end
local function put_back()
  for _, one in ipairs(kept) do
    redis.call('SELECT', one[1])
    redis.call('RESTORE', one[2], 0, one[3], 'REPLACE')
    if one[4] > 0 then
      redis.call('PEXPIREAT', one[2], string.format('%.0f', one[4]))
    end
  end
  redis.call('SELECT', 0)
  return 'OK'
end
for database = math.max(first, 1), last do
  redis.call('SELECT', database)
  redis.call('FLUSHDB', 'ASYNC')
end
redis.call('SELECT', 0)
if first > 0 then
  return put_back()
end
if spare == 0 then
  -- There is no other database: the keys go one by one.
  local own = {}
  for _, key in ipairs(KEYS) do
    own[key] = true
  end
  for _, key in ipairs(redis.call('KEYS', '*')) do
    if not own[key] then
      redis.call('UNLINK', key)
    end
  end
  return put_back()
end
-- A key is not moved to where one of its name is: that would leave it here, to be flushed with the rest.
redis.call('SELECT', spare)
redis.call('DEL', unpack(KEYS))
redis.call('SELECT', 0)
for _, key in ipairs(KEYS) do
  redis.call('MOVE', key, spare)
end
-- What is refused must not leave the keys where they are of no use.
local flushed = redis.pcall('FLUSHDB', 'ASYNC')
redis.call('SELECT', spare)
for _, key in ipairs(KEYS) do
  redis.call('MOVE', key, 0)
end
put_back()
return flushed
