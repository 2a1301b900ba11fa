-- KEYS: key, out   ARGV: database, site, rank among old data, id of the assembly, number of parts, type
-- Sends the state of a key as old data, as copy-keys.lua does, when its value has been sent in parts: the receiver has put it together. To
-- be run where the key was not written since the first part.
-- Result: 1; 0 when the key is of another type.
-- @include state
-- @include assembly
redis.call('SELECT', ARGV[1])
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= ARGV[6] then
  return 0
end
local length = string.format('%.0f', redis.call(ASSEMBLED[kind].length, KEYS[1]))
local words = {
  'TANDEM.STATE', ARGV[1], KEYS[1], string.format('%.0f', expiry_of(KEYS[1])), ARGV[3], ARGV[2], '0', kind == 'list' and length or '-1',
  table.concat({ ARGV[4], ARGV[5], kind, length }, ' '), 'parts',
}
for i = 1, #words do
  words[i] = bulk(words[i])
end
redis.call('SELECT', 0)
redis.call('SET', KEYS[2], '*' .. #words .. '\r\n' .. table.concat(words))
redis.call('DEL', KEYS[2])
return 1
