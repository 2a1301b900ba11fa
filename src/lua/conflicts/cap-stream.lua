-- KEYS: stream   ARGV: MAXLEN or MINID, limit, where local entries begin that the sender of the trim had not seen: an ID, behind a `(`
--       if that one was seen, a `-` for all, or a `~` if that is known of the last minute alone
-- A trim of the peer's on a stream where entries are added in the order of their arrival. What was added here unseen does not count,
-- and is not taken: its sender's stream was shorter, or younger, by that.
-- Result: entries taken off.
-- @include arrival
-- @include stream
local PAGE, MINUTE_MS = 100, 60000
local key = KEYS[1]
if redis.call('TYPE', key).ok ~= 'stream' then
  return 0
end
local from = ARGV[3]
if from == '~' then
  from = string.format('%.0f-0', math.max(0, now_ms() - MINUTE_MS))
end
-- How many local entries there are from an ID on, as far as it matters, and the first of them.
local function own_from(enough)
  local count, first, at = 0, nil, from
  while count < enough do
    local page = redis.call('XRANGE', key, at, '+', 'COUNT', PAGE)
    for _, entry in ipairs(page) do
      if not has_arrived(entry[1]) then
        first = first or entry[1]
        count = count + 1
      end
    end
    if #page < PAGE then
      break
    end
    at = '(' .. page[#page][1]
  end
  return count, first
end
if ARGV[1] == 'MINID' then
  local limit = whole_id(ARGV[2])
  local _, first = own_from(1)
  return redis.call('XTRIM', key, 'MINID', '=', first and is_below(first, limit) and first or limit)
end
local length = redis.call('XLEN', key)
local surplus = length - tonumber(ARGV[2])
if surplus > 0 then
  surplus = surplus - own_from(surplus)
end
return surplus > 0 and redis.call('XTRIM', key, 'MAXLEN', '=', string.format('%.0f', length - surplus)) or 0
