-- KEYS: fence, list of the active jobs of a kind, BullMQ's set of jobs that may have stalled, BullMQ's mark of its last check
-- ARGV: token (empty: there is nobody else), what a job's key begins with
-- Marks every job at work as one whose process is gone: only the holder of the lease takes jobs, and it has just begun. The locks
-- go, whatever they say; BullMQ's own check then puts the jobs back.
-- Result: ids. Errors: FENCED.
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('FENCED another process works for this site')
end
local ids = redis.call('LRANGE', KEYS[2], 0, -1)
if #ids > 0 then
  redis.call('DEL', KEYS[4])
end
for _, id in ipairs(ids) do
  redis.call('DEL', ARGV[2] .. id .. ':lock')
  redis.call('SADD', KEYS[3], id)
end
return ids
