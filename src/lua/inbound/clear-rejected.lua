-- KEYS: applied, rejected, retries   ARGV: per state of a key in this transaction: "database:key"
-- Behind states of the peer's: takes those rejected changes off the list that were tried again, and all of whose keys are now as
-- the peer has them. If anything of the transaction failed they stay.
-- Result: entries taken off.
if redis.call('EXISTS', KEYS[3]) == 0 then
  return 0
end
local errors = string.match(redis.call('INFO', 'stats'), 'total_error_replies:(%d+)')
if redis.call('HGET', KEYS[1], 'errors') ~= errors then
  return 0
end
-- A right that the account has lost must not end this between one key and the other.
redis.call('HDEL', KEYS[3], 'none')
local here, mended = {}, 0
for _, place in ipairs(ARGV) do
  here[place] = true
end
local all = redis.call('HGETALL', KEYS[3])
for i = 1, #all, 2 do
  local id = string.match(all[i], '^(%d+%-%d+)=$')
  local isWhole = id ~= nil
  for _, place in ipairs(id and cmsgpack.unpack(all[i + 1]) or {}) do
    isWhole = isWhole and here[place]
  end
  if isWhole then
    redis.call('XDEL', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id, all[i])
    mended = mended + 1
  end
end
return mended
