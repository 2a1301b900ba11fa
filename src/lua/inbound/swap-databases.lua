-- KEYS: all keys of the site   ARGV: the two databases
-- SWAPDB as a change of the peer: the internal keys stay in database 0.
-- Result: OK.
redis.call('SWAPDB', ARGV[1], ARGV[2])
local away = (ARGV[1] == '0' and ARGV[2]) or (ARGV[2] == '0' and ARGV[1]) or '0'
if away ~= '0' then
  -- A key is not moved to where one of its name is.
  redis.call('DEL', unpack(KEYS))
  redis.call('SELECT', away)
  for _, key in ipairs(KEYS) do
    redis.call('MOVE', key, 0)
  end
  redis.call('SELECT', 0)
end
return 'OK'
