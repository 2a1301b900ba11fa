-- KEYS: out   ARGV: databases of this server, session, number, database, cursor, count
-- Writes the names of some keys where capture takes them out of the stream.
-- Result: how many.
local function bulk(text)
  return '$' .. #text .. '\r\n' .. text .. '\r\n'
end
local cursor, keys = '0', {}
if tonumber(ARGV[4]) < tonumber(ARGV[1]) then
  redis.call('SELECT', ARGV[4])
  cursor, keys = unpack(redis.call('SCAN', ARGV[5], 'COUNT', ARGV[6]))
end
local parts = {}
for i, key in ipairs(keys) do
  parts[i] = bulk(key)
end
redis.call('SELECT', 0)
redis.call('SET', KEYS[1], '*' .. 4 + #parts .. '\r\n' .. bulk('TANDEM.LISTED') .. bulk(ARGV[2]) .. bulk(ARGV[3])
  .. bulk(cursor) .. table.concat(parts))
redis.call('UNLINK', KEYS[1])
return #parts
