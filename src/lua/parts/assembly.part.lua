-- Values that are put together from parts, by their types: how long they are, and what adds to them.
local ASSEMBLED = {
  string = { length = 'STRLEN', add = 'APPEND' },
  list = { length = 'LLEN', add = 'RPUSH' },
  set = { length = 'SCARD', add = 'SADD' },
  hash = { length = 'HLEN', add = 'HSET' },
  zset = { length = 'ZCARD', add = 'ZADD' },
}
-- What is known of the value that is being put together: id, number of parts, type, length; nothing where there is none. Both keys are in
-- the selected database.
local function assembled_of(assembly, assembled)
  local found = redis.call('HMGET', assembly, 'id', 'parts')
  local kind = redis.call('TYPE', assembled).ok
  if not found[1] or not found[2] or not ASSEMBLED[kind] then
    return {}
  end
  return { found[1], found[2], kind, string.format('%.0f', redis.call(ASSEMBLED[kind].length, assembled)) }
end
