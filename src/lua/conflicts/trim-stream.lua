-- KEYS: stream   ARGV: MAXLEN or MINID, limit, 1 if local entries give way to those with the same ID, the highest ID known when this was
--       decided (empty: none is known; what slips in is then found behind it), then IDs of entries that the trim had not seen
-- A trim of the peer's takes off the entries its sender had, and leaves those that were added here meanwhile. Whatever is taken off
-- stands in the stream by its ID, or as all that is below one: so it shows whether it was meant.
-- Result: entries taken off.
-- @include stream
local key = KEYS[1]
local kind = redis.call('TYPE', key).ok
if kind ~= 'stream' then
  return 0
end
local unseen, present = {}, 0
for i = 5, #ARGV do
  local id = whole_id(ARGV[i])
  local moved = ARGV[3] == '1' and moved_id(id)
  id = moved and has_entry(key, moved) and moved or id
  if not unseen[id] and has_entry(key, id) then
    unseen[id] = true
    present = present + 1
  end
end
-- What is above all that was known has slipped in.
if ARGV[4] ~= '' then
  for _, entry in ipairs(redis.call('XRANGE', key, '(' .. ARGV[4], '+')) do
    if not unseen[entry[1]] then
      unseen[entry[1]] = true
      present = present + 1
    end
  end
end
local entries, surplus
if ARGV[1] == 'MINID' then
  -- A bare number would end the range behind the last entry of that millisecond.
  entries = redis.call('XRANGE', key, '-', '(' .. whole_id(ARGV[2]))
  surplus = #entries
else
  surplus = redis.call('XLEN', key) - present - tonumber(ARGV[2])
  if surplus <= 0 then
    return 0
  end
  entries = redis.call('XRANGE', key, '-', '+', 'COUNT', string.format('%.0f', surplus + present))
end
local taken, last, is_split = {}, nil, false
for _, entry in ipairs(entries) do
  if #taken == surplus then
    break
  elseif unseen[entry[1]] then
    is_split = true
  else
    taken[#taken + 1] = entry[1]
    last = entry[1]
  end
end
if #taken == 0 then
  return 0
elseif is_split then
  for _, id in ipairs(taken) do
    redis.call('XDEL', key, id)
  end
else
  local following = redis.call('XRANGE', key, last, '+', 'COUNT', 2)[2]
  if following then
    redis.call('XTRIM', key, 'MINID', '=', following[1])
  else
    redis.call('XTRIM', key, 'MAXLEN', '=', 0)
  end
  -- A server's trim stops at a deleted entry with a higher ID that stands before others in their node.
  for _, entry in ipairs(redis.call('XRANGE', key, '-', last)) do
    redis.call('XDEL', key, entry[1])
  end
end
return #taken
