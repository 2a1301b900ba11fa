-- KEYS: key, in the selected database   ARGV: 1 if fields of a hash can expire, 1 if the key is a stream in the order of arrival
-- What is to be known of a value before it is digested in parts.
-- Result: of one that is not large its entry and bytes; of a large one nothing, its type, its expiry as it stands in an entry, the number
--         of its elements (bytes of a string), 1 if its fields may have deadlines, and of a stream its last ID, how many entries were
--         added (`` where that is not told), and for each group name, last ID delivered.
local fields_expire = ARGV[1] == '1'
-- @include state
-- @include score
-- @include value
-- @include large
local kind = redis.call('TYPE', KEYS[1]).ok
local large, length = is_large(KEYS[1], kind)
if not large then
  local entry, size = entry_of(KEYS[1], ARGV[2] == '1', kind)
  return { entry, tostring(size) }
end
if kind == 'string' then
  length = redis.call('STRLEN', KEYS[1])
end
local has_deadlines = kind == 'hash' and fields_expire and redis.call('OBJECT', 'ENCODING', KEYS[1]) ~= 'listpack'
local found = { '', kind, expiry_part(expiry_of(KEYS[1])), tostring(length), has_deadlines and '1' or '0' }
if kind == 'stream' then
  local about = record(redis.call('XINFO', 'STREAM', KEYS[1]))
  found[#found + 1] = about['last-generated-id']
  local added = about['entries-added']
  found[#found + 1] = added and string.format('%.0f', added) or ''
  for _, one in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = record(one)
    found[#found + 1] = group['name']
    found[#found + 1] = group['last-delivered-id']
  end
end
return found
