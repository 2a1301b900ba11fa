-- The fields of a hash that have a deadline, each followed by that, in ms since 1970.
local function field_deadlines(key)
  local fields, found = redis.call('HKEYS', key), {}
  for from = 1, #fields, 1000 do
    local to = math.min(#fields, from + 999)
    local ends = redis.call('HPEXPIRETIME', key, 'FIELDS', to - from + 1, unpack(fields, from, to))
    for i, at in ipairs(ends) do
      if at > 0 then
        found[#found + 1] = fields[from + i - 1]
        found[#found + 1] = string.format('%.0f', at)
      end
    end
  end
  return found
end
