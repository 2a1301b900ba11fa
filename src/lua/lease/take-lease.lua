-- KEYS: lease, fence   ARGV: process, milliseconds, take or keep, a process that has been gone for a while
-- Takes the lease of this site, or makes it last longer. Whoever takes it gets a new fencing token, which every write checks; so
-- does its holder, when it begins again: what it had sent before on a connection that broke must not count when it arrives late.
-- Tokens come from the clock, so that one given out before the keys were flushed is not given out again.
-- A holder that was subscribed to its channel at its last renewal (a `+` stands behind its name) and is not now has no connection.
-- Result: { token, 0, '' } for the holder; for anyone else { 0, milliseconds until the other's lease ends, its name if it is gone }.
-- A value that another client has written there is no lease: it would never end, or never be read. Neither is it a token.
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'string' and kind ~= 'none' then
    redis.call('DEL', key)
  end
end
if redis.call('PTTL', KEYS[1]) == -1 then
  redis.call('DEL', KEYS[1])
end
local function subscribers(process)
  local reply = redis.pcall('PUBSUB', 'NUMSUB', KEYS[1] .. ':' .. process)
  return not reply.err and reply[2] or nil
end
local held = redis.call('GET', KEYS[1])
local holder, mark = string.match(held or '', '^(.-)(%+?)$')
local token = tonumber(redis.call('GET', KEYS[2])) or 0
if held and holder ~= ARGV[1] then
  local gone = mark == '+' and subscribers(holder) == 0
  if not gone or holder ~= ARGV[4] then
    return { 0, redis.call('PTTL', KEYS[1]), gone and holder or '' }
  end
end
local name = ARGV[1] .. ((subscribers(ARGV[1]) or 0) > 0 and '+' or '')
-- The first write is one that a full memory does not forbid.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[1], name, 'PX', ARGV[2])
if held and ARGV[3] == 'keep' then
  return { token, 0, '' }
end
local now = redis.call('TIME')
token = math.max(token + 1, now[1] * 1000000 + now[2])
redis.call('SET', KEYS[2], string.format('%.0f', token))
return { token, 0, '' }
