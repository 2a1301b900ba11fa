-- KEYS: key, out   ARGV: database, id of the assembly, number of the part, where to begin (`` at the beginning), elements and bytes
--                   after which no more is read, 1 if fields of a hash can expire
-- Sends a part of a large value, as a TANDEM.PART, in the way of write-message.lua. The value is that of one place only if the key is
-- watched, and nobody has written it from the first part on.
-- Result: the type, bytes of the part, where to go on, `` at the end; of a value that is not sent in parts `none` as its type.
-- @include score
-- @include reading
-- @include state
-- @include assembly
redis.call('SELECT', ARGV[1])
local kind = redis.call('TYPE', KEYS[1]).ok
if not ASSEMBLED[kind] then
  return { 'none', 0, '' }
end
local is_hash = kind == 'hash'
local has_deadlines = is_hash and ARGV[7] == '1' and redis.call('OBJECT', 'ENCODING', KEYS[1]) ~= 'listpack'
local limits = { elements = tonumber(ARGV[5]), bytes = tonumber(ARGV[6]), has_deadlines = has_deadlines, as_scored = true }
local found = read_part(KEYS[1], kind, ARGV[4], limits)
-- What stands in front of an argument depends on its length alone, and most arguments have one of a few lengths: each is made once.
local heads, parts, last, bytes = {}, { '' }, 1, 0
local function add(text)
  local length = #text
  local head = heads[length] or '\r\n$' .. length .. '\r\n'
  heads[length] = head
  parts[last + 1], parts[last + 2] = head, text
  last = last + 2
  bytes = bytes + length
end
for _, word in ipairs({ 'TANDEM.PART', ARGV[1], KEYS[1], ARGV[2], ARGV[3], kind }) do
  add(word)
end
for i = 2, #found do
  if not is_hash or i % 3 ~= 1 then
    add(found[i])
  elseif found[i] ~= '' then
    return { 'none', 0, '' }
  end
end
parts[1] = '*' .. (last - 1) / 2
parts[last + 1] = '\r\n'
redis.call('SELECT', 0)
redis.call('SET', KEYS[2], table.concat(parts))
redis.call('DEL', KEYS[2])
return { kind, bytes, found[1] }
