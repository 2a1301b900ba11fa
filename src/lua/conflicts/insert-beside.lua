-- KEYS: list   ARGV: BEFORE or AFTER, pivot, element
-- Inserts an element beside another one; where there is none such, at the end.
-- Result: the list's length; 0 when the key holds something else.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'list' and kind ~= 'none' then
  return 0
end
local length = redis.call('LINSERT', KEYS[1], ARGV[1], ARGV[2], ARGV[3])
return length > 0 and length or redis.call('RPUSH', KEYS[1], ARGV[3])
