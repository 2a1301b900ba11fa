-- KEYS: out   ARGV: key, ID of an entry, request
-- Asks the peer for the state of a stream, in the selected database, whose oldest entry is younger than this one: a local trim may
-- have taken it, had it been there.
-- Result: 1 if asked, else 0.
local kind = redis.call('TYPE', ARGV[1]).ok
if kind ~= 'stream' and kind ~= 'none' then
  return 0
end
-- Up to and with the ID there is nothing: it would be the oldest.
if kind == 'stream' and #redis.call('XRANGE', ARGV[1], '-', ARGV[2], 'COUNT', 1) > 0 then
  return 0
end
redis.call('SELECT', 0)
redis.call('SET', KEYS[1], ARGV[3])
redis.call('DEL', KEYS[1])
return 1
