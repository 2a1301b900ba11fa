-- KEYS: none   ARGV: none
-- Whether scripts may count the server's error replies, as begin-transaction.lua and end-transaction.lua do. Writes nothing.
-- Result: the count, or nothing.
return string.match(redis.call('INFO', 'stats'), 'total_error_replies:(%d+)')
