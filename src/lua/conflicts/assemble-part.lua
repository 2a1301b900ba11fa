-- KEYS: assembly, assembled   ARGV: id, number of the part, type, ms that both keys stay, then what the part holds
-- Adds a part to a value that is put together beside the keys. There is one such value at a time: the first part of another one takes its
-- place. A part that does not follow the one before is of no use. The number 0 says that no more comes.
-- Result: how many parts the value has.
-- @include assembly
redis.call('SELECT', 0)
local known = redis.call('HMGET', KEYS[1], 'id', 'parts', 'type')
local number = tonumber(ARGV[2])
local follows = known[1] == ARGV[1] and known[3] == ARGV[3] and tonumber(known[2]) == number - 1
if number > 1 and not follows then
  return 0
elseif number == 1 or known[1] == ARGV[1] and number == 0 then
  redis.call('UNLINK', KEYS[1], KEYS[2])
end
if number == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'parts', ARGV[2], 'type', ARGV[3])
-- So many that an even number stays together, and a script can hand them on.
local MOST = 1000
for from = 5, #ARGV, MOST do
  local elements = { unpack(ARGV, from, math.min(from + MOST - 1, #ARGV)) }
  if ARGV[3] == 'zset' then
    for i = 1, #elements, 2 do
      elements[i], elements[i + 1] = elements[i + 1], elements[i]
    end
  end
  redis.call(ASSEMBLED[ARGV[3]].add, KEYS[2], unpack(elements))
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return number
