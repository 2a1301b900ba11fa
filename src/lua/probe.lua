-- KEYS: none   ARGV: none
-- Whether scripts may count the server's error replies, as begin.lua and settle.lua do. Writes nothing.
-- Result: the count, or nothing.
return string.match(redis.call('INFO', 'stats'), 'total_error_replies:(%d+)')
