-- KEYS: out   ARGV: site, then per key: database, key, rank timestamp, newest own sequence the peer may not have seen
-- Writes the state of keys to an own key and removes it again: capture takes it out of the replication stream as a TANDEM.STATE
-- change at this very place in the order. (A message would need no key, but any account that may publish could forge one, and
-- any subscriber could read it.) No key at all ranks below everything, like a removal.
-- Result: OK.
local function bulk(text)
  return '$' .. #text .. '\r\n' .. text .. '\r\n'
end
local function expiry(key)
  if redis.REDIS_VERSION_NUM then
    return math.max(0, redis.call('PEXPIRETIME', key))
  end
  local left, now = redis.call('PTTL', key), redis.call('TIME')
  return left < 0 and 0 or now[1] * 1000 + math.floor(now[2] / 1000) + left
end
for i = 2, #ARGV, 4 do
  local database, key, rank, since = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  redis.call('SELECT', database)
  local dump = redis.call('DUMP', key) or ''
  local expires = string.format('%.0f', expiry(key))
  local isList = redis.call('TYPE', key).ok == 'list'
  local elements = isList and string.format('%.0f', redis.call('LLEN', key)) or '-1'
  redis.call('SELECT', 0)
  redis.call('SET', KEYS[1], '*9\r\n' .. bulk('TANDEM.STATE') .. bulk(database) .. bulk(key) .. bulk(expires)
    .. bulk(dump == '' and '-1' or rank) .. bulk(ARGV[1]) .. bulk(since) .. bulk(elements) .. bulk(dump))
end
redis.call('SELECT', 0)
redis.call('UNLINK', KEYS[1])
return 'OK'
