-- ARGV: database, then keys
-- Result: places of the keys that do not exist, from 1 on.
redis.call('SELECT', ARGV[1])
local absent = {}
for i = 2, #ARGV do
  if redis.call('EXISTS', ARGV[i]) == 0 then
    absent[#absent + 1] = i - 1
  end
end
redis.call('SELECT', 0)
return absent
