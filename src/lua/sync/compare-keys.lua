-- KEYS: out   ARGV: session (where it ends with `-whole`, values are digested in one step whatever their size), number, seen, 1 if
--                   fields of a hash can expire and for each key 1 if it is a stream in the order of arrival, databases of this server,
--                   then per key: database, key, entry; an entry `x`: this key is not to be looked at
-- Holds keys against what the peer has, and writes the answer where capture takes it out of the stream. It speaks of equal keys as
-- well: only capture knows which of them have writes the peer has not heard of, and may be equal by chance. A value that is too large
-- for one step is not held against the peer's, and neither are keys behind those that take as long as a step may, nor those whose quick
-- entries differ.
-- Result: keys that differ.
local fields_expire = string.sub(ARGV[4], 1, 1) == '1'
-- @include state
-- @include score
-- @include value
-- @include large
-- @include quick
local whole = string.sub(ARGV[1], -6) == '-whole'
local function parted(entry)
  local expires, about = string.match(entry, ':(%d+)(~?)')
  return string.sub(entry, 1, 1), string.sub(entry, 2, 17), tonumber(expires) or 0, about == '~' and 5000 or 0
end
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
-- A key whose time has come goes at each site by itself, a moment apart.
local function is_ending(expires)
  return expires > 0 and expires <= now + 1000
end
local function is_passing(entry)
  return string.sub(entry, -1) == '!'
end
-- Of a stream in the order of arrival a half of the digest may say nothing.
local function are_alike(one, other, arrives)
  if not arrives then
    return one == other
  end
  for from = 1, 9, 8 do
    local a, b = string.sub(one, from, from + 7), string.sub(other, from, from + 7)
    if a ~= b and a ~= UNKNOWN_HALF and b ~= UNKNOWN_HALF then
      return false
    end
  end
  return true
end
local function finding(theirs, own, size, arrives)
  if theirs == own then
    return 'q'
  elseif is_passing(theirs) or is_passing(own) then
    return 'b'
  end
  local kind, digest, expires, tolerance = parted(own)
  local their_kind, their_digest, their_expires, their_tolerance = parted(theirs)
  if is_ending(expires) or is_ending(their_expires) then
    return 'b'
  elseif own == '-' then
    return 'm'
  elseif theirs == '-' then
    return 'o' .. size
  elseif kind ~= their_kind then
    return 't' .. size
  elseif not are_alike(digest, their_digest, arrives) then
    -- Of what no server tells the parts only the dump is known, which need not be the same for equal values.
    return (kind == 'o' and 'u' or 'v') .. size
  elseif (expires > 0) ~= (their_expires > 0) or math.abs(expires - their_expires) > tolerance + their_tolerance then
    return 'e' .. size
  end
  return 'q'
end
local letters = { string = 's', list = 'l', set = 'e', hash = 'h', zset = 'z', stream = 'x' }
-- What can be said of a value without its digest.
local function finding_of_large(theirs, key, kind)
  if is_ending(expiry_of(key)) then
    return 'b'
  elseif string.sub(theirs, 1, 1) == letters[kind] then
    return 'p'
  end
  return (theirs == '-' and 'o' or 't') .. string.format('%.0f', bytes_of(key, '5'))
end
local parts, differing, bytes, elements, selected = {}, 0, 0, 0, nil
local databases, has_arrivals = tonumber(ARGV[5]), string.find(ARGV[4], '1', 2, true)
local named, placed
local function look(theirs, key, arrives)
  if bytes > LARGE_BYTES or elements > LARGE_ELEMENTS then
    return 'l'
  end
  if string.sub(theirs, 1, 1) == 'd' then
    local own, size = quick_entry_of(key)
    bytes, elements = bytes + (size or 0), elements + 1
    local found = own and finding(theirs, own, size, false) or 'l'
    -- That the dumps differ says nothing: the key is asked about again.
    return string.sub(found, 1, 1) == 'v' and 'l' or found
  end
  local kind = redis.call('TYPE', key).ok
  local large, length = is_large(key, kind)
  if large and not whole then
    return finding_of_large(theirs, key, kind)
  end
  local own, size = entry_of(key, arrives, kind)
  bytes, elements = bytes + size, elements + length
  return finding(theirs, own, size, arrives)
end
for i = 6, #ARGV, 3 do
  local database, key, found = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if database ~= named then
    named, placed = database, bulk(database)
  end
  if found ~= 'x' and tonumber(database) < databases then
    if database ~= selected then
      redis.call('SELECT', database)
      selected = database
    end
    found = look(found, key, has_arrivals and string.sub(ARGV[4], #parts + 2, #parts + 2) == '1')
  elseif found ~= 'x' then
    found = finding(found, '-', 0, false)
  end
  parts[#parts + 1] = placed .. '$' .. #key .. '\r\n' .. key .. '\r\n$' .. #found .. '\r\n' .. found .. '\r\n'
  if found ~= 'q' then
    differing = differing + 1
  end
end
redis.call('SELECT', 0)
redis.call('SET', KEYS[1], '*' .. 5 + 3 * #parts .. '\r\n' .. bulk('TANDEM.ANSWER') .. bulk(ARGV[1]) .. bulk(ARGV[2])
  .. bulk(ARGV[3]) .. bulk('-') .. table.concat(parts))
redis.call('UNLINK', KEYS[1])
return differing
