-- KEYS: internal keys that may have a deadline   ARGV: none
-- What the server tells of its databases, and how many of its keys with a deadline are those, in one step.
-- Result: { INFO keyspace, number }
local own = 0
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) >= 0 then own = own + 1 end
end
return { redis.call('INFO', 'keyspace'), own }
