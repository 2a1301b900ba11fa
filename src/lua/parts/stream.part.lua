-- IDs of stream entries, as text: numbers of 64 bits are beyond what a script can count with.
local function whole_id(id)
  return string.find(id, '-', 1, true) and id or id .. '-0'
end
local function is_below(a, b)
  local am, as = string.match(a, '(%d+)-(%d+)')
  local bm, bs = string.match(b, '(%d+)-(%d+)')
  if am == bm then
    return #as < #bs or (#as == #bs and as < bs)
  end
  return #am < #bm or (#am == #bm and am < bm)
end
local function has_entry(key, id)
  return #redis.call('XRANGE', key, id, id) > 0
end
-- Where an entry goes whose ID another one has: behind all that are given out in its millisecond, and the same at both sites.
-- Nothing where there is no such place.
local function moved_id(id)
  local ms, sequence = string.match(id, '(%d+)-(%d+)')
  return #sequence < 10 and string.format('%s-%.0f', ms, tonumber(sequence) + 4294967296) or nil
end
