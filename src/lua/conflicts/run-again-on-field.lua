-- KEYS: applied, key   ARGV: field, end of its life here or 0, deadline or 0, whether it keeps one, commands up to that end,
-- per command: number of arguments, arguments
-- Runs local commands on a field again, on a value they had not seen. If its life has ended here and was not put off there, only those behind
-- the end. It keeps the deadline it has, or the one that is given, if it is left without one. A deadline that is past by now ends the field
-- behind the transaction, so that what was run after it finds the field. Errors are as in attempt-commands.lua.
-- Result: commands that failed.
-- @include life
local now, field = now_ms(), ARGV[1]
local before, over = field_until(KEYS[2], field), tonumber(ARGV[2])
local skipped = 0
if over > 0 and not (before == -1 or before > math.max(over, now)) then
  skipped = tonumber(ARGV[5])
  if before ~= -2 then
    redis.call('HDEL', KEYS[2], field)
    before = -2
  end
end
local at, count, failed = 6, 0, 0
while at <= #ARGV do
  local length = tonumber(ARGV[at])
  count = count + 1
  if count > skipped then
    local own = { unpack(ARGV, at + 1, at + length) }
    local name = string.upper(own[1])
    local place = name == 'HPEXPIREAT' and 3 or name == 'HSETEX' and own[3] == 'PXAT' and 4
    if place then
      own[place] = ahead(own[place])
    end
    -- The field it was run on is gone, and its deadline with it.
    local is_void = name == 'HSETEX' and own[3] == 'KEEPTTL' and field_until(KEYS[2], field) == -2
    local reply = not is_void and redis.pcall(unpack(own))
    if type(reply) == 'table' and reply.err then
      failed = failed + 1
    end
  end
  at = at + length + 1
end
if ARGV[4] == '1' and before ~= -1 and field_until(KEYS[2], field) == -1 then
  local deadline = before > 0 and before or tonumber(ARGV[3])
  if deadline > now then
    redis.call('HPEXPIREAT', KEYS[2], string.format('%.0f', deadline), 'FIELDS', 1, field)
  elseif deadline > 0 then
    redis.call('HDEL', KEYS[2], field)
  end
end
if failed > 0 then
  redis.call('SELECT', 0)
  redis.call('HINCRBY', KEYS[1], 'errors', failed)
end
return failed
