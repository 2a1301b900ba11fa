-- KEYS: fence, applied, guard   ARGV: token, expected epoch, expected n, 1 if `guard` was set to expire when the run may not be made any more
-- Runs before MULTI on a connection that watches all three keys: when the process may not go on, it touches `guard`, and EXEC
-- fails. So a run of changes can be sent without waiting for the answer to this check.
-- A `guard` that expires behind the WATCH makes EXEC fail as well. One that has expired before it does not: it is touched here.
-- Result: OK, or LATE. Errors: FENCED, STATE, POSITION, SUSPECT.
local why
-- A key that another client has given another type must end in the same way, not with an error that lets EXEC pass.
local a = redis.pcall('HMGET', KEYS[2], 'epoch', 'n', 'suspect')
local fence = redis.pcall('GET', KEYS[1])
if a.err or type(fence) == 'table' then
  why = 'STATE the keys of this site are of another type'
elseif not fence then
  why = 'STATE the keys of this site are missing'
elseif fence ~= ARGV[1] then
  why = 'FENCED another process works for this site'
elseif a[1] ~= ARGV[2] or a[2] ~= ARGV[3] then
  why = 'POSITION applied is ' .. tostring(a[1]) .. '/' .. tostring(a[2])
elseif a[3] then
  why = 'SUSPECT errors of an earlier run are not dealt with'
end
local is_late = ARGV[4] == '1' and redis.call('EXISTS', KEYS[3]) == 0
if why or is_late then
  -- Memory never forbids a DEL as a script's first write; behind it anything may be written.
  redis.call('DEL', KEYS[3])
  redis.call('INCR', KEYS[3])
  return why and redis.error_reply(why) or 'LATE'
end
return 'OK'
