local function bulk(text)
  return '$' .. #text .. '\r\n' .. text .. '\r\n'
end
-- In ms since 1970, 0 for none. A number here has 53 bits: what lies 285,000 years ahead comes out half a second off, and below the
-- largest number a server takes.
local LAST_EXPIRY = 2 ^ 63 - 1024
local function expiry_of(key)
  if redis.REDIS_VERSION_NUM then
    return math.min(LAST_EXPIRY, math.max(0, redis.call('PEXPIRETIME', key)))
  end
  local left, now = redis.call('PTTL', key), redis.call('TIME')
  return left < 0 and 0 or math.min(LAST_EXPIRY, now[1] * 1000 + math.floor(now[2] / 1000) + left)
end
