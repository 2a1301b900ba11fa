-- KEYS: waits, out   ARGV: session, what its mark has told, ms that this stays, 1 to begin, the mark that goes out or nothing
-- Notes how far a mark is, for the one who waits for it, and sends it on in the way of write-message.lua. A mark that no command waits for ends here.
-- Result: 1; 0 when no command waits.
if ARGV[4] ~= '1' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
local before = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
-- A right that the account has lost ends a script in the middle, and what it wrote stays: a mark that did not go out has told nothing.
local lost = redis.pcall('PEXPIRE', KEYS[1], ARGV[3])
if type(lost) == 'number' and ARGV[5] ~= '' then
  lost = redis.pcall('DEL', KEYS[2])
  lost = type(lost) == 'number' and redis.pcall('SET', KEYS[2], ARGV[5]) or lost
end
if type(lost) == 'table' and lost.err then
  if before then
    redis.call('HSET', KEYS[1], ARGV[1], before)
  else
    redis.call('HDEL', KEYS[1], ARGV[1])
  end
  return lost
end
if ARGV[5] ~= '' then
  redis.call('DEL', KEYS[2])
end
return 1
