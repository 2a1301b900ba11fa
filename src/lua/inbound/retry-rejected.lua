-- KEYS: rejected, retries, out, state, applied, received   ARGV: milliseconds `retries` lives, the entry, number of keys, per key:
--       database, key; then further entries of the same keys
-- Tries a rejected change again: asks the peer for the state of the keys it writes, in the way of write-message.lua, and counts it. With no
-- keys it is counted alone. The further entries go: they say the same of the same keys. The entry goes when the state is applied
-- (clear-rejected.lua). The request ranks behind all that is known here of either site's writes, and says that a
-- write of the peer's is lacking here.
-- Result: how often it was tried; 0 when the entry is gone.
local id, count = ARGV[2], tonumber(ARGV[3])
if #redis.call('XRANGE', KEYS[1], id, id) == 0 then
  return 0
end
local places, need = {}, {}
local function bulk(text)
  return '$' .. #text .. '\r\n' .. text .. '\r\n'
end
for i = 4, 3 + count * 2, 2 do
  table.insert(places, ARGV[i] .. ':' .. ARGV[i + 1])
  table.insert(need, bulk(ARGV[i]) .. bulk(ARGV[i + 1]))
end
for i = 4 + count * 2, #ARGV do
  redis.call('XDEL', KEYS[1], ARGV[i])
  redis.call('HDEL', KEYS[2], ARGV[i], ARGV[i] .. '=')
end
local now = redis.call('TIME')
local clock = (now[1] * 1000 + math.floor(now[2] / 1000)) * 1024
for i, field in ipairs({ 'clock', 'clock', 'beatClock' }) do
  clock = math.max(clock, (tonumber(redis.call('HGET', KEYS[3 + i], field) or 0) or 0) + 1)
end
local tries = redis.call('HINCRBY', KEYS[2], id, 1)
redis.call('PEXPIRE', KEYS[2], ARGV[1])
if count > 0 then
  redis.call('HSET', KEYS[2], id .. '=', cmsgpack.pack(places))
  local timestamp = string.format('%.0f', clock)
  redis.call('SET', KEYS[3], '*' .. (3 + count * 2) .. '\r\n' .. bulk('TANDEM.NEED') .. bulk(timestamp) .. bulk('2') .. table.concat(need))
  redis.call('DEL', KEYS[3])
end
return tries
