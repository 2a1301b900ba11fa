-- Whether a value is too large to be digested in one step, which holds the server up: it is digested in parts then. A type that no
-- server gives in parts is not.
local LARGE_ELEMENTS, LARGE_BYTES = 2000, 1048576
-- So few elements are not asked for their bytes, which takes as long as to digest them.
local FEW_ELEMENTS = 4
local lengths = { string = 'STRLEN', list = 'LLEN', set = 'SCARD', hash = 'HLEN', zset = 'ZCARD', stream = 'XLEN' }
-- The bytes it takes, by so many of its elements, 0 for all of them; 0 where the server does not tell.
local function bytes_of(key, samples)
  local bytes = redis.pcall('MEMORY', 'USAGE', key, 'SAMPLES', samples)
  return type(bytes) == 'number' and bytes or 0
end
-- The number of its elements as well, 1 for what has none.
local function is_large(key, kind)
  local command = lengths[kind]
  if not command then
    return false, 1
  end
  local length = redis.call(command, key)
  if kind == 'string' then
    return length > LARGE_BYTES, 1
  elseif length > LARGE_ELEMENTS then
    return true, length
  elseif length <= FEW_ELEMENTS and kind ~= 'stream' then
    return false, length
  end
  return bytes_of(key, '0') > LARGE_BYTES, length
end
