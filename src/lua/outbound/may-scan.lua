-- KEYS: none   ARGV: none
-- Whether the account may walk through the keys. Nothing is tried: what is refused would stand in the log of refusals.
-- Result: 1; 0 when it may not, or the server does not tell (Redis 6.2).
return redis.acl_check_cmd and redis.acl_check_cmd('SCAN', '0') and 1 or 0
