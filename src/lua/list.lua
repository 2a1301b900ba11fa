-- KEYS: out   ARGV: session, number, database, cursor, count
-- Writes the names of some keys where capture takes them out of the stream.
-- Result: how many.
local function bulk(text)
  return '$' .. #text .. '\r\n' .. text .. '\r\n'
end
redis.call('SELECT', ARGV[3])
local found = redis.call('SCAN', ARGV[4], 'COUNT', ARGV[5])
local parts = {}
for i, key in ipairs(found[2]) do
  parts[i] = bulk(key)
end
redis.call('SELECT', 0)
redis.call('SET', KEYS[1], '*' .. 4 + #parts .. '\r\n' .. bulk('TANDEM.LISTED') .. bulk(ARGV[1]) .. bulk(ARGV[2])
  .. bulk(found[1]) .. table.concat(parts))
redis.call('UNLINK', KEYS[1])
return #parts
