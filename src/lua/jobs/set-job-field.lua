-- KEYS: job, its lock   ARGV: token of the lock (empty: whoever has it), field, value
-- Sets a field of a job: the checkpoint of the process that works on it, or a request from outside. A checkpoint shows that the
-- job moves, so that the processes that died of it are counted anew.
-- Result: 1, or 0 when there is no such job, or the lock is another's. Errors: none.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
if ARGV[1] ~= '' then
  if redis.call('GET', KEYS[2]) ~= ARGV[1] then
    return 0
  end
  redis.call('HDEL', KEYS[1], 'stc')
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 1
