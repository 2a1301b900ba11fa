-- Whether a hash has these fields, and nothing but numbers in it, apart from `texts`: otherwise another client has written it.
local function is_sound(key, texts, ...)
  local found = {}
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    found[all[i]] = texts[all[i]] or tonumber(all[i + 1])
    if not found[all[i]] then
      return false
    end
  end
  for _, field in ipairs({ ... }) do
    if not found[field] then
      return false
    end
  end
  return true
end
local STATE_TEXTS = { pair = true, site = true, replid = true, copied = true, ['repair'] = true }
local APPLIED_TEXTS = { kept = true }
local RECEIVED_TEXTS = { origin = true, told = true }
