-- Entries that have come from the other site, in a stream where they are added in the order of their arrival. Their sequence numbers
-- are multiples of STEP beyond what servers give out; what is added here behind one in the same millisecond is counted up from it.
local FIRST_ARRIVED, STEP, LARGEST_SEQUENCE = 2 ^ 40, 2 ^ 16, 2 ^ 52
local function has_arrived(id)
  local sequence = tonumber(string.match(id, '-(%d+)'))
  return sequence >= FIRST_ARRIVED and sequence % STEP == 0
end
local function now_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
local function last_id(key)
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      return info[i + 1]
    end
  end
end
