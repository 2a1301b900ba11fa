-- KEYS: out   ARGV: site, bytes after which no further key is sent, 1 if a key that does not exist is sent as such, then per key:
--                   database, key
-- Sends the state of keys as old data, which stands below whatever is written meanwhile (see snapshot.lua).
-- Result: bytes of each, 0 for keys that do not exist, as far as they were sent.
-- @include state
local sizes, total, limit = {}, 0, tonumber(ARGV[2])
for i = 4, #ARGV, 2 do
  redis.call('SELECT', ARGV[i])
  local size = 0
  if ARGV[3] == '1' or redis.call('EXISTS', ARGV[i + 1]) == 1 then
    size = write_state(KEYS[1], { database = ARGV[i], key = ARGV[i + 1], rank = '0', since = '0', site = ARGV[1] })
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
