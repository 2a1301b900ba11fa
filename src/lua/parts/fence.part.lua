-- The error of a process that does not hold the token any more; nil for the one that does.
local function fenced(key, token)
  local fence = redis.call('GET', key)
  if not fence then
    return redis.error_reply('STATE the keys of this site are missing')
  elseif fence ~= token then
    return redis.error_reply('FENCED another process works for this site')
  end
  return nil
end
