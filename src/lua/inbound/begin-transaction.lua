-- KEYS: applied
-- Right behind the marker: notes how many error replies the server has sent, so that end-transaction.lua knows whether a change failed.
redis.call('HSET', KEYS[1], 'errors', string.match(redis.call('INFO', 'stats'), 'total_error_replies:(%d+)'))
return 'OK'
