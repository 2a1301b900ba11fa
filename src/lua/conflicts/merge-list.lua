-- KEYS: list, scratch, the list at the other site where it has come in parts   ARGV: dump of the list at the other site (empty for none,
--       or none in this form), number of elements that may have been taken off here from the left, from the right, from anywhere (-1:
--       any number), number of unknown elements moved in here at the left, at the right, 1 when what is missing here was not taken
--       off, how many arguments follow for the elements put in here, for each its side (l or r) and itself; behind them the elements
--       of the list at the other site, where there is no dump
-- The list as the other site has it, without what was taken off here that it had not seen, and with what was put in here and is still
-- there. All that the other site had put in before is here already: what it holds and this list does not was taken off here, as far as
-- so much was.
-- Result: the list's length; -1 when the key holds something else.
local key, scratch = KEYS[1], KEYS[2]
local theirs = {}
if KEYS[3] then
  theirs = redis.call('LRANGE', KEYS[3], 0, -1)
  redis.call('UNLINK', KEYS[3])
end
local kind = redis.call('TYPE', key).ok
if kind ~= 'list' and kind ~= 'none' then
  return -1
end
local mine = redis.call('LRANGE', key, 0, -1)
if ARGV[1] ~= '' then
  redis.call('RESTORE', scratch, 0, ARGV[1], 'REPLACE')
  theirs = redis.call('LRANGE', scratch, 0, -1)
  redis.call('DEL', scratch)
end
local last = 8 + tonumber(ARGV[8])
for i = last + 1, #ARGV do
  theirs[#theirs + 1] = ARGV[i]
end
local takes = { l = tonumber(ARGV[2]), r = tonumber(ARGV[3]), a = tonumber(ARGV[4]) }
local moved = { l = tonumber(ARGV[5]), r = tonumber(ARGV[6]) }
local trusts = ARGV[7] ~= '1'
local over, put, sides = {}, {}, {}
for _, element in ipairs(theirs) do
  over[element] = (over[element] or 0) + 1
end
for i = 9, last, 2 do
  put[ARGV[i + 1]] = (put[ARGV[i + 1]] or 0) + 1
  sides[ARGV[i + 1]] = ARGV[i]
end
local function take(counts, element)
  local count = counts[element] or 0
  if count > 0 then
    counts[element] = count - 1
  end
  return count > 0
end
-- What each element of this list is: put in here at an end, one of theirs, or one that they have taken off.
local kinds, first = {}, nil
for at, element in ipairs(mine) do
  if take(put, element) then
    kinds[at] = sides[element]
  elseif take(over, element) then
    kinds[at] = 'theirs'
    first = first or at
  end
end
local function came(at, side)
  if kinds[at] == nil and moved[side] > 0 then
    moved[side] = moved[side] - 1
    kinds[at] = side
  end
end
for at = 1, #mine do
  came(at, 'l')
end
for at = #mine, 1, -1 do
  came(at, 'r')
end
local left, right, gone = {}, {}, {}
for at, element in ipairs(mine) do
  local side = kinds[at]
  if (side == 'l' or side == 'r') and first then
    side = at < first and 'l' or 'r'
  end
  if side == 'l' then
    left[#left + 1] = element
  elseif side == 'r' then
    right[#right + 1] = element
  end
end
local function goes(at, side)
  if takes[side] ~= 0 and not gone[at] and take(over, theirs[at]) then
    gone[at] = true
    takes[side] = takes[side] - 1
  end
end
if trusts then
  for at = #theirs, 1, -1 do
    goes(at, 'r')
  end
  for at = 1, #theirs do
    goes(at, 'l')
  end
  for at = 1, #theirs do
    goes(at, 'a')
  end
else
  for i = 9, last, 2 do
    if take(put, ARGV[i + 1]) then
      local part = ARGV[i] == 'l' and left or right
      table.insert(part, ARGV[i] == 'l' and 1 or #part + 1, ARGV[i + 1])
    end
  end
end
redis.call('DEL', key)
local values = {}
local function flush()
  if #values > 0 then
    redis.call('RPUSH', key, unpack(values))
    values = {}
  end
end
local function add(element)
  values[#values + 1] = element
  if #values >= 5000 then
    flush()
  end
end
for _, element in ipairs(left) do
  add(element)
end
for at, element in ipairs(theirs) do
  if not gone[at] then
    add(element)
  end
end
for _, element in ipairs(right) do
  add(element)
end
flush()
return redis.call('LLEN', key)
