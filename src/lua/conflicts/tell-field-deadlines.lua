-- KEYS: key, out   ARGV: database of the key
-- Says in the stream which fields of a hash that came as a whole have a deadline.
-- Result: how many.
-- @include deadlines
local found = field_deadlines(KEYS[1])
local text = { '*' .. (#found + 3) .. '\r\n' }
local function say(part)
  text[#text + 1] = '$' .. #part .. '\r\n' .. part .. '\r\n'
end
say('TANDEM.FIELDS')
say(ARGV[1])
say(KEYS[1])
for _, part in ipairs(found) do
  say(part)
end
redis.call('SELECT', 0)
redis.call('SET', KEYS[2], table.concat(text))
redis.call('DEL', KEYS[2])
redis.call('SELECT', ARGV[1])
return #found / 2
