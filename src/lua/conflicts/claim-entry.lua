-- KEYS: out   ARGV: 1 if an error counts, key, what tells the peer of an entry that is gone, then the arguments of XCLAIM behind its key
-- Delivers an entry that the peer's site has delivered, in the selected database. One that is not here any more is pending at neither
-- site: it is acknowledged here, and the peer is told.
-- Result: 1 if it was told, else 0. Errors: those of XCLAIM, where they count.
local key = ARGV[2]
local reply = redis.pcall('XCLAIM', key, unpack(ARGV, 4))
if type(reply) == 'table' and reply.err then
  return ARGV[1] == '1' and reply or 0
end
local group, id = ARGV[4], ARGV[7]
if #redis.call('XRANGE', key, id, id) > 0 then
  return 0
end
redis.call('XACK', key, group, id)
redis.call('SELECT', 0)
redis.call('SET', KEYS[1], ARGV[3])
redis.call('DEL', KEYS[1])
return 1
