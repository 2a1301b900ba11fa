-- KEYS: fence, applied, guard   ARGV: token, expected epoch, expected n
-- Runs before MULTI on a connection that watches all three keys: when the process may not go on, it touches `guard`, and EXEC
-- fails. So a run of changes can be sent without waiting for the answer to this check.
-- Result: OK. Errors: FENCED, STATE, POSITION, SUSPECT.
local why
local a = redis.call('HMGET', KEYS[2], 'epoch', 'n', 'suspect')
local fence = redis.call('GET', KEYS[1])
if not fence then
  why = 'STATE the keys of this site are missing'
elseif fence ~= ARGV[1] then
  why = 'FENCED another process works for this site'
elseif a[1] ~= ARGV[2] or a[2] ~= ARGV[3] then
  why = 'POSITION applied is ' .. tostring(a[1]) .. '/' .. tostring(a[2])
elseif a[3] then
  why = 'SUSPECT errors of an earlier run are not dealt with'
end
if why then
  -- Memory never forbids a DEL as a script's first write; behind it anything may be written.
  redis.call('DEL', KEYS[3])
  redis.call('INCR', KEYS[3])
  return redis.error_reply(why)
end
return 'OK'
