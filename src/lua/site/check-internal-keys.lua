-- KEYS: fence, state, applied, received, site, then other keys of the site
-- ARGV: look or mend, token, pair, site, then the type of each key
-- Finds internal keys that another client has written: those of another type, those with fields that are not what they must be, and those
-- that are missing although a process works. To mend is to remove those of another type: what stood there is gone in any case, and
-- open-state.lua makes them again from what is remembered, as it does with fields.
-- Result: { keys that are wrong, keys that are missing }. Errors: FENCED.
-- @include fields
local wrong, missing = {}, {}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'none' then
    if i <= 5 then
      missing[#missing + 1] = key
    end
  elseif kind ~= ARGV[i + 4] then
    wrong[#wrong + 1] = key
  end
end
if #wrong > 0 or #missing > 0 then
  if ARGV[1] == 'mend' and #wrong > 0 then
    -- The token is sound: take-lease.lua has seen to that.
    local fence = redis.call('GET', KEYS[1])
    if fence and fence ~= ARGV[2] then
      return redis.error_reply('FENCED another process works for this site')
    end
    redis.call('DEL', unpack(wrong))
  end
  return { wrong, missing }
end
if ARGV[1] == 'look' then
  local who = redis.call('HMGET', KEYS[5], 'pair', 'site')
  local are_sound = {
    [2] = is_sound(KEYS[2], STATE_TEXTS, 'epoch', 'next'),
    [3] = is_sound(KEYS[3], APPLIED_TEXTS, 'epoch', 'n'),
    [4] = is_sound(KEYS[4], RECEIVED_TEXTS, 'epoch', 'n', 'bytes', 'limit', 'origin'),
    [5] = who[1] == ARGV[3] and who[2] == ARGV[4],
  }
  for i = 2, 5 do
    if not are_sound[i] then
      wrong[#wrong + 1] = KEYS[i]
    end
  end
end
return { wrong, missing }
