-- KEYS: out   ARGV: site, versions of dumps the peer takes, 1 if fields of a hash can expire, bytes after which no further key is
--                   sent, 1 if a key that does not exist is sent as such, bytes of memory from
--                   which a value is left to be sent in parts or 0 for none, then per key: database, key,
--                   rank among old data
-- Sends the state of keys as old data, which stands below whatever is written meanwhile (see write-states.lua). Many states go with one
-- write of the key: each write costs the server as much as to read a small value.
-- Result: bytes of each, 0 for keys that do not exist, -1 for values that are to be sent in parts, as far as they were looked at.
local fields_expire = ARGV[3] == '1'
-- @include state
-- @include elements
-- @include assembly
local WRITE_BYTES = 65536
local sizes, total, limit, absent = {}, 0, tonumber(ARGV[4]), ARGV[5] == '1'
local large_bytes = tonumber(ARGV[6])
-- A string is sent by its bytes, which takes far less time than elements do.
local TIMES_STRING = 8
local function is_large(key)
  local bytes = large_bytes > 0 and redis.pcall('MEMORY', 'USAGE', key)
  if type(bytes) ~= 'number' or bytes < large_bytes then
    return false
  end
  local kind = redis.call('TYPE', key).ok
  return ASSEMBLED[kind] and (kind ~= 'string' or bytes >= TIMES_STRING * large_bytes)
end
local states, gathered_bytes, options = {}, 0, { accepted = ARGV[2] }
local bulks = { site = bulk(ARGV[1]), since = bulk('0') }
local selected, ranked
local function write()
  if #states > 0 then
    redis.call('SELECT', 0)
    redis.call('SET', KEYS[1], table.concat(states))
    states, gathered_bytes, selected = {}, 0, nil
  end
end
for i = 7, #ARGV, 3 do
  local database, key, rank = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if database ~= selected then
    redis.call('SELECT', database)
    selected, bulks.database = database, bulk(database)
  end
  if rank ~= ranked then
    ranked, bulks.rank = rank, bulk(rank)
  end
  local is_apart = is_large(key)
  local dump, size = not is_apart and redis.call('DUMP', key), is_apart and -1 or 0
  if dump or absent and not is_apart then
    local state
    state, size = state_of(key, dump, bulks, options)
    -- A large value goes by itself, as it would if there were no others.
    if #state > WRITE_BYTES then
      write()
    end
    states[#states + 1] = state
    gathered_bytes = gathered_bytes + #state
    if gathered_bytes > WRITE_BYTES then
      write()
    end
  end
  sizes[#sizes + 1] = size
  total = total + math.max(0, size)
  if total > limit then
    break
  end
end
write()
redis.call('SELECT', 0)
redis.call('UNLINK', KEYS[1])
return sizes
