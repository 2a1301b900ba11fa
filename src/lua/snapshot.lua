-- KEYS: out   ARGV: rank timestamp, rank site, then per key: database, key
-- Writes the state of keys to an own key and removes it again: capture takes it out of the replication stream as a TANDEM.STATE
-- change at this very place in the order. (A message would need no key, but any account that may publish could forge one, and
-- any subscriber could read it.)
-- Result: OK.
local timestamp, site = ARGV[1], ARGV[2]
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
for i = 3, #ARGV, 2 do
  local database, key = ARGV[i], ARGV[i + 1]
  redis.call('SELECT', database)
  local dump = redis.call('DUMP', key) or ''
  local expires = string.format('%.0f', expiry(key))
  redis.call('SELECT', 0)
  redis.call('SET', KEYS[1], '*7\r\n' .. bulk('TANDEM.STATE') .. bulk(database) .. bulk(key) .. bulk(expires)
    .. bulk(timestamp) .. bulk(site) .. bulk(dump))
end
redis.call('SELECT', 0)
redis.call('UNLINK', KEYS[1])
return 'OK'
