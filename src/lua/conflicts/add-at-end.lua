-- KEYS: stream   ARGV: 1 if a key of another type is an error, else 0, then fields and values
-- Adds an entry of the peer's behind the last one, with an ID of this server's clock that tells whose it is.
-- Result: its ID; nothing at a key of another type. Errors: WRONGTYPE.
-- @include arrival
local key = KEYS[1]
local kind = redis.call('TYPE', key).ok
if kind ~= 'stream' and kind ~= 'none' then
  return ARGV[1] == '1' and redis.call('XLEN', key) or false
end
local ms, sequence = now_ms(), FIRST_ARRIVED
if kind == 'stream' then
  local top_ms, top_sequence = string.match(last_id(key), '(%d+)-(%d+)')
  top_ms, top_sequence = tonumber(top_ms), tonumber(top_sequence)
  if top_ms >= ms and top_sequence < LARGEST_SEQUENCE then
    ms = top_ms
    sequence = math.max(FIRST_ARRIVED, (math.floor(top_sequence / STEP) + 1) * STEP)
  elseif top_ms >= ms then
    ms = top_ms + 1
  end
end
return redis.call('XADD', key, string.format('%.0f-%.0f', ms, sequence), unpack(ARGV, 2))
