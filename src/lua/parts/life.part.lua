-- In ms since 1970 when a field ends; -1 for none, -2 where there is no such field.
local function field_until(key, field)
  local found = redis.call('HPEXPIRETIME', key, 'FIELDS', 1, field)
  return type(found) == 'table' and tonumber(found[1]) or -2
end
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
-- A deadline, in ms since 1970, or one so near ahead where it is past that what has it ends by itself, behind the transaction. Time does
-- not stand still in a transaction: up to Redis 7.0 each script in it has its own.
local AHEAD_MS = 100
local function ahead(at)
  return string.format('%.0f', math.max(tonumber(at), now_ms() + AHEAD_MS))
end
