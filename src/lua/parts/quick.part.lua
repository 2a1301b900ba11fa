-- A quick entry of a small value: a digest of its dump, and its expiry. Equal ones are of equal values. Unequal ones say nothing, since the
-- same value may be kept in another way. It takes three commands, whatever the type. Needs `value` and `large`.
local QUICK_BYTES = 16384
-- The entry in the selected database, and the bytes of the dump; `-` and 0 when there is no key, nothing where the value is not small.
local function quick_entry_of(key)
  local bytes = redis.pcall('MEMORY', 'USAGE', key)
  if not bytes then
    return '-', 0
  elseif type(bytes) ~= 'number' or bytes > QUICK_BYTES then
    return nil
  end
  local dump = redis.call('DUMP', key)
  if not dump then
    return '-', 0
  end
  -- Behind the value stand the version of the dump and a checksum.
  return 'd' .. string.sub(redis.sha1hex(string.sub(dump, 1, -11)), 1, 16) .. expiry_part(expiry_of(key)), #dump
end
