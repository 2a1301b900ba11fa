-- KEYS: list   ARGV: in order: insert, index, number of values, values; or remove, index, number of elements
-- Puts elements into a list and takes elements off it, by index.
-- Result: the list's length; 0 when the key holds something else.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'list' and kind ~= 'none' then
  return 0
end
local key, at = KEYS[1], 1
local mark = 'tandem:' .. redis.sha1hex(key)
local function push(command, values)
  for from = 1, #values, 5000 do
    redis.call(command, key, unpack(values, from, math.min(from + 4999, #values)))
  end
end
local function reversed(values)
  local result = {}
  for i = #values, 1, -1 do
    result[#result + 1] = values[i]
  end
  return result
end
while at <= #ARGV do
  local index = tonumber(ARGV[at + 1])
  if ARGV[at] == 'remove' then
    local count, length = tonumber(ARGV[at + 2]), redis.call('LLEN', key)
    if index == 0 then
      redis.call('LTRIM', key, count, -1)
    elseif index + count >= length then
      redis.call('LTRIM', key, 0, index - 1)
    else
      for i = index, index + count - 1 do
        redis.call('LSET', key, i, mark)
      end
      redis.call('LREM', key, index * 2 > length and -count or count, mark)
    end
    at = at + 3
  else
    local count, length = tonumber(ARGV[at + 2]), redis.call('LLEN', key)
    local values = {}
    for i = 1, count do
      values[i] = ARGV[at + 2 + i]
    end
    -- The shorter side is taken off and put back around the new elements.
    if index * 2 >= length then
      local tail = index < length and redis.call('LRANGE', key, index, -1) or {}
      if #tail == length then
        push('LPUSH', reversed(values))
      else
        if #tail > 0 then redis.call('LTRIM', key, 0, index - 1) end
        push('RPUSH', values)
        push('RPUSH', tail)
      end
    else
      local head = index > 0 and redis.call('LRANGE', key, 0, index - 1) or {}
      if #head > 0 then redis.call('LTRIM', key, index, -1) end
      push('LPUSH', reversed(values))
      push('LPUSH', reversed(head))
    end
    at = at + 3 + count
  end
end
return redis.call('LLEN', key)
