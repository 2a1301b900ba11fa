-- In ms since 1970 when a field ends; -1 for none, -2 where there is no such field.
local function field_until(key, field)
  local found = redis.call('HPEXPIRETIME', key, 'FIELDS', 1, field)
  return type(found) == 'table' and tonumber(found[1]) or -2
end
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
