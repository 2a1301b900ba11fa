-- KEYS: out   ARGV: site, versions of dumps the peer takes, 1 if fields of a hash can expire, bytes after which no further key is
--                   sent, 1 if a key that does not exist is sent as such, then per key: database, key,
--                   rank among old data
-- Sends the state of keys as old data, which stands below whatever is written meanwhile (see write-states.lua).
-- Result: bytes of each, 0 for keys that do not exist, as far as they were sent.
local fields_expire = ARGV[3] == '1'
-- @include state
-- @include elements
local sizes, total, limit = {}, 0, tonumber(ARGV[4])
for i = 6, #ARGV, 3 do
  redis.call('SELECT', ARGV[i])
  local size = 0
  if ARGV[5] == '1' or redis.call('EXISTS', ARGV[i + 1]) == 1 then
    size = write_state(KEYS[1], { database = ARGV[i], key = ARGV[i + 1], rank = ARGV[i + 2], since = '0', site = ARGV[1],
      accepted = ARGV[2] })
  end
  sizes[#sizes + 1] = size
  total = total + size
  if total > limit then
    break
  end
end
redis.call('SELECT', 0)
redis.call('UNLINK', KEYS[1])
return sizes
