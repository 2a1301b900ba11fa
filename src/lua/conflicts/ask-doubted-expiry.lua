-- KEYS: out   ARGV: key, elements that were added here unseen, request and what is said with it
-- Asks the peer for the state of a key that has an expiry and holds nothing but elements that were added here unseen by the peer.
-- There the rest, and the expiry with it, may be gone. With -1 elements any key that is there is asked for. The key is in the
-- selected database.
-- Result: 1 if asked, else 0.
local sizes = { list = 'LLEN', hash = 'HLEN', set = 'SCARD', zset = 'ZCARD', stream = 'XLEN' }
local kind, added = redis.call('TYPE', ARGV[1]).ok, tonumber(ARGV[2])
if kind == 'none' then
  return 0
end
if added >= 0 and (redis.call('PTTL', ARGV[1]) < 0 or (sizes[kind] and redis.call(sizes[kind], ARGV[1]) > added)) then
  return 0
end
redis.call('SELECT', 0)
redis.call('SET', KEYS[1], ARGV[3])
redis.call('DEL', KEYS[1])
return 1
