-- KEYS: stream   ARGV: mode, then per entry: ID, number of fields and values, fields and values
-- Mode: 1 if the entries take the place of others with the same ID, else 0; and 2 more if a key of another type is an error.
-- Adds entries to a stream at the places of their IDs, also below its last one. Of two different entries with the same ID one is moved
-- to an ID that nobody gives out.
-- A server adds at the end only, so the newer entries are taken off, the last ID is set back, and all are added again. Groups
-- keep what they had delivered. Redis 7.0 and later let the last ID back only behind the highest ID ever deleted, which therefore
-- is set to the lowest meanwhile.
-- A server keeps entries in nodes, and a deleted one stays in its node until all of it are deleted. There an XTRIM by MINID would stop
-- at a deleted one that has a higher ID, and leave what was added behind it. So what stands before in the node is taken off and added
-- again as well, as far as MAX_REBUILT entries go.
-- Result: entries added. Errors: WRONGTYPE.
-- @include stream
local MAX_REBUILT = 1000
local MAX_DELETED_AT_ONCE = 1000
local READ_AT_ONCE = 20
local key = KEYS[1]
local mode = tonumber(ARGV[1])
local replaces = mode % 2 == 1
local kind = redis.call('TYPE', key).ok
if kind ~= 'stream' and kind ~= 'none' then
  return mode >= 2 and redis.call('XLEN', key) or 0
end
local info = {}
-- Where in the answer of XINFO the number of nodes stands.
local nodes_at
if kind == 'stream' then
  local flat = redis.call('XINFO', 'STREAM', key)
  for i = 1, #flat, 2 do
    info[flat[i]] = flat[i + 1]
    if flat[i] == 'radix-tree-keys' then
      nodes_at = i + 1
    end
  end
end
local last, added, deleted = info['last-generated-id'] or '0-0', info['entries-added'], info['max-deleted-entry-id']
local function by_id(a, b)
  return is_below(a[1], b[1])
end
local merged, count, at = {}, 0, 2
local placed = {}
while at <= #ARGV do
  local id, size = whole_id(ARGV[at]), tonumber(ARGV[at + 1])
  local fields = { unpack(ARGV, at + 2, at + 1 + size) }
  local other = not is_below(last, id) and redis.call('XRANGE', key, id, id)[1]
  if not other then
    placed[id] = fields
    count = count + 1
  elseif table.concat(other[2], '\n') ~= table.concat(fields, '\n') then
    local moved = moved_id(id)
    if replaces then
      placed[id] = fields
    end
    if moved and not has_entry(key, moved) then
      placed[moved] = replaces and other[2] or fields
      count = count + 1
    end
  end
  at = at + 2 + size
end
for id, fields in pairs(placed) do
  merged[#merged + 1] = { id, fields }
end
if #merged == 0 then
  return 0
end
table.sort(merged, by_id)
-- Takes off all entries from an ID on, and those before it that stand in one node with them. Result: these entries.
local function take_off(first)
  local taken = redis.call('XRANGE', key, first, '+')
  local ids = {}
  for at, entry in ipairs(taken) do
    ids[#ids + 1] = entry[1]
    if #ids == MAX_DELETED_AT_ONCE or at == #taken then
      redis.call('XDEL', key, unpack(ids))
      ids = {}
    end
  end
  local nodes = redis.call('XINFO', 'STREAM', key)[nodes_at]
  for _ = 1, MAX_REBUILT / READ_AT_ONCE do
    local before = redis.call('XREVRANGE', key, '+', '-', 'COUNT', READ_AT_ONCE)
    for _, entry in ipairs(before) do
      redis.call('XDEL', key, entry[1])
      taken[#taken + 1] = entry
      if redis.call('XINFO', 'STREAM', key)[nodes_at] < nodes then
        return taken
      end
    end
    if #before == 0 then
      break
    end
  end
  return taken
end
local is_back = not is_below(last, merged[1][1])
if is_back then
  for _, entry in ipairs(take_off(merged[1][1])) do
    if not placed[entry[1]] then
      merged[#merged + 1] = entry
    end
  end
  table.sort(merged, by_id)
  if added then
    redis.call('XSETID', key, last, 'ENTRIESADDED', added, 'MAXDELETEDID', '0-1')
  end
  local top = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  redis.call('XSETID', key, top and top[1] or '0-1')
end
for _, entry in ipairs(merged) do
  redis.call('XADD', key, entry[1], unpack(entry[2]))
end
if is_back then
  local highest = merged[#merged][1]
  highest = is_below(highest, last) and last or highest
  if added then
    deleted = deleted == '0-0' and '0-1' or deleted
    redis.call('XSETID', key, highest, 'ENTRIESADDED', added + count, 'MAXDELETEDID', deleted)
  else
    redis.call('XSETID', key, highest)
  end
end
return count
