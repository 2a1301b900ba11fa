-- KEYS: out   ARGV: key, elements that were added here unseen, 1 if only a key with an expiry counts, request
-- Asks the peer for the state of a key that holds nothing but what was added here without the peer knowing: there the rest, and
-- the expiry with it, may have gone. The key is in the selected database.
-- Result: 1 if asked, else 0.
local sizes = { string = 'STRLEN', list = 'LLEN', hash = 'HLEN', set = 'SCARD', zset = 'ZCARD', stream = 'XLEN' }
local kind = redis.call('TYPE', ARGV[1]).ok
if not sizes[kind] or (ARGV[3] == '1' and redis.call('PTTL', ARGV[1]) < 0) then
  return 0
end
if kind ~= 'string' and redis.call(sizes[kind], ARGV[1]) > tonumber(ARGV[2]) then
  return 0
end
redis.call('SELECT', 0)
redis.call('SET', KEYS[1], ARGV[4])
redis.call('DEL', KEYS[1])
return 1
