-- A quick entry of a small value: a digest of its dump, and its expiry. Equal ones are of equal values. Unequal ones say nothing, since the
-- same value may be kept in another way. It takes three commands, whatever the type. Needs `value` and `large`.
local QUICK_BYTES = 16384
-- First bytes of the dumps of sets and hashes that are kept as tables: each server has their elements in an order of its own.
local TABLES = { [2] = true, [4] = true }
-- The entry in the selected database, and the bytes of the dump; `-` and 0 when there is no key, nothing where the value is not small, or a
-- table.
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
  if TABLES[string.byte(dump)] then
    return nil
  end
  -- Behind the value stand the version of the dump and a checksum.
  return 'd' .. string.sub(redis.sha1hex(string.sub(dump, 1, -11)), 1, 16) .. expiry_part(expiry_of(key)), #dump
end
