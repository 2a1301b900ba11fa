-- KEYS: lease   ARGV: process
-- Gives the lease back at once, so that a process that waits need not wait for its end.
-- Result: 1 if it was held, else 0.
local held = redis.call('GET', KEYS[1])
if held == ARGV[1] or held == ARGV[1] .. '+' then
  return redis.call('DEL', KEYS[1])
end
return 0
