local function bulk(text)
  return '$' .. #text .. '\r\n' .. text .. '\r\n'
end
local function expiry_of(key)
  if redis.REDIS_VERSION_NUM then
    return math.max(0, redis.call('PEXPIRETIME', key))
  end
  local left, now = redis.call('PTTL', key), redis.call('TIME')
  return left < 0 and 0 or now[1] * 1000 + math.floor(now[2] / 1000) + left
end
-- Writes a TANDEM.STATE to the key `out`. No key at all ranks below everything, like a removal. Gives the bytes of the dump.
local function write_state(out, state)
  redis.call('SELECT', state.database)
  local dump = redis.call('DUMP', state.key) or ''
  local expires = string.format('%.0f', expiry_of(state.key))
  local is_list = redis.call('TYPE', state.key).ok == 'list'
  local elements = is_list and string.format('%.0f', redis.call('LLEN', state.key)) or '-1'
  redis.call('SELECT', 0)
  redis.call('SET', out, '*9\r\n' .. bulk('TANDEM.STATE') .. bulk(state.database) .. bulk(state.key) .. bulk(expires)
    .. bulk(dump == '' and '-1' or state.rank) .. bulk(state.site) .. bulk(state.since) .. bulk(elements) .. bulk(dump))
  return #dump
end
