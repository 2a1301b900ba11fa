-- KEYS: none of its own   ARGV: control channel, rank timestamp, rank site, then per key: database, key
-- Publishes the state of keys into the replication stream, where capture takes it out as TANDEM.STATE changes at this very
-- place in the order. Nothing is stored.
-- Result: OK.
local channel, timestamp, site = ARGV[1], ARGV[2], ARGV[3]
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
for i = 4, #ARGV, 2 do
  local database, key = ARGV[i], ARGV[i + 1]
  redis.call('SELECT', database)
  local dump = redis.call('DUMP', key) or ''
  local expires = string.format('%.0f', expiry(key))
  redis.call('PUBLISH', channel, '*7\r\n' .. bulk('TANDEM.STATE') .. bulk(database) .. bulk(key) .. bulk(expires)
    .. bulk(timestamp) .. bulk(site) .. bulk(dump))
end
redis.call('SELECT', 0)
return 'OK'
