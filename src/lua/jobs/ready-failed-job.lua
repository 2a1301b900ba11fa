-- KEYS: job   ARGV: field in which an end is asked for
-- Readies a job that has ended for another try: nobody asks for its end any more, and the processes that died of it are counted anew.
-- One at work is left alone: what is asked of it stands.
-- Result: 1, or 0 when there is no such job, or it has not ended. Errors: none.
if redis.call('HEXISTS', KEYS[1], 'finishedOn') == 0 then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1], 'stc')
return 1
