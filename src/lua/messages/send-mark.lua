-- KEYS: waits, out   ARGV: session, what its mark has told, ms that this stays, 1 to begin, the mark that goes out or nothing
-- Notes how far a mark is, for the one who waits for it, and sends it on in the way of write-message.lua. A mark that no command waits for ends here.
-- Result: 1; 0 when no command waits.
if ARGV[4] ~= '1' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if ARGV[5] ~= '' then
  redis.call('SET', KEYS[2], ARGV[5])
  redis.call('DEL', KEYS[2])
end
return 1
