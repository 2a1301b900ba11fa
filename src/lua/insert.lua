-- KEYS: stream   ARGV: per entry: ID, number of fields and values, fields and values
-- Adds entries to a stream at the places of their IDs, also below its last one; an entry with an ID that is there is replaced.
-- A server adds at the end only, so the newer entries are taken off, the last ID is set back, and all are added again. Groups
-- keep what they had delivered. Redis 7.0 and later let the last ID back only behind the highest ID ever deleted, which therefore
-- is set to the lowest meanwhile.
-- Result: entries added.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'stream' and kind ~= 'none' then
  return 0
end
local key = KEYS[1]
local function below(a, b)
  local am, as = string.match(a, '(%d+)-(%d+)')
  local bm, bs = string.match(b, '(%d+)-(%d+)')
  if am == bm then
    return #as < #bs or (#as == #bs and as < bs)
  end
  return #am < #bm or (#am == #bm and am < bm)
end
local function byId(a, b)
  return below(a[1], b[1])
end
local merged, new, at = {}, {}, 1
while at <= #ARGV do
  local id, count = ARGV[at], tonumber(ARGV[at + 1])
  id = string.find(id, '-') and id or id .. '-0'
  merged[#merged + 1] = { id, { unpack(ARGV, at + 2, at + 1 + count) } }
  new[id] = true
  at = at + 2 + count
end
table.sort(merged, byId)
local count, info = #merged, {}
if redis.call('EXISTS', key) == 1 then
  local flat = redis.call('XINFO', 'STREAM', key)
  for i = 1, #flat, 2 do
    info[flat[i]] = flat[i + 1]
  end
end
local last, added, deleted = info['last-generated-id'] or '0-0', info['entries-added'], info['max-deleted-entry-id']
local isBack = not below(last, merged[1][1])
if isBack then
  for _, entry in ipairs(redis.call('XRANGE', key, merged[1][1], '+')) do
    redis.call('XDEL', key, entry[1])
    if not new[entry[1]] then
      merged[#merged + 1] = entry
    end
  end
  table.sort(merged, byId)
  if added then
    redis.call('XSETID', key, last, 'ENTRIESADDED', added, 'MAXDELETEDID', '0-1')
  end
  local top = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  redis.call('XSETID', key, top and top[1] or '0-1')
end
for _, entry in ipairs(merged) do
  redis.call('XADD', key, entry[1], unpack(entry[2]))
end
if isBack then
  local highest = merged[#merged][1]
  highest = below(highest, last) and last or highest
  if added then
    deleted = deleted == '0-0' and '0-1' or deleted
    redis.call('XSETID', key, highest, 'ENTRIESADDED', added + count, 'MAXDELETEDID', deleted)
  else
    redis.call('XSETID', key, highest)
  end
end
return count
