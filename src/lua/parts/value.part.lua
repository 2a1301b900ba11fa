-- A value in a few bytes that do not depend on how the server keeps it: type, 64 bits of a digest, expiry.
-- Needs `fields_expire`: whether this server knows expiring fields of a hash. What it says of a value that is read in parts is said of it
-- by `sync/digest-in-parts.ts` as well.
-- Elements in whatever order: their digests are added without carry, which no order changes.
local function unordered(elements, step)
  local high, low, size = 0, 0, 0
  for i = 1, #elements, step do
    local text = step == 1 and elements[i] or #elements[i] .. ':' .. elements[i] .. elements[i + 1]
    local digest = redis.sha1hex(text)
    high = bit.bxor(high, tonumber(string.sub(digest, 1, 8), 16))
    low = bit.bxor(low, tonumber(string.sub(digest, 9, 16), 16))
    size = size + #text
  end
  return bit.tohex(high) .. bit.tohex(low), size
end
local function joined(parts)
  for i = 1, #parts do
    parts[i] = #parts[i] .. ':' .. parts[i]
  end
  return table.concat(parts)
end
local function ordered(parts)
  local text = joined(parts)
  return string.sub(redis.sha1hex(text), 1, 16), #text
end
-- A HyperLogLog is kept in two ways, and may have its count beside it: its registers are what counts. Nothing for what only begins
-- like one.
local function registers(value)
  local found, at, index = {}, 17, 0
  local encoding, bytes = string.byte(value, 5), #value
  local function run(length, count)
    if count > 0 then
      for i = index, index + length - 1 do
        found[#found + 1] = i .. '=' .. count
      end
    end
    index = index + length
  end
  if encoding == 1 then
    while at <= bytes and index <= 16384 do
      local code = string.byte(value, at)
      if code >= 64 and code < 128 and at == bytes then
        return nil
      elseif code >= 128 then
        run(code % 4 + 1, math.floor(code / 4) % 32 + 1)
      elseif code >= 64 then
        at = at + 1
        run((code % 64) * 256 + string.byte(value, at) + 1, 0)
      else
        run(code + 1, 0)
      end
      at = at + 1
    end
    if index ~= 16384 then
      return nil
    end
  elseif encoding ~= 0 or bytes ~= 16 + 12288 then
    return nil
  else
    for i = 0, 16383 do
      local place = 17 + math.floor(i * 6 / 8)
      local pair = string.byte(value, place) + 256 * (string.byte(value, place + 1) or 0)
      run(1, math.floor(pair / 2 ^ (i * 6 % 8)) % 64)
    end
  end
  return found
end
-- The expiries of fields, and whether one of them is about to come: a field goes at each site by itself.
local function field_expiries(key, fields)
  local found, is_ending = {}, false
  local now = redis.call('TIME')
  local soon = now[1] * 1000 + math.floor(now[2] / 1000) + 1000
  for from = 1, #fields, 1000 do
    local part = {}
    for i = from, math.min(from + 999, #fields) do
      part[#part + 1] = fields[i]
    end
    local ends = redis.call('HPEXPIRETIME', key, 'FIELDS', #part, unpack(part))
    for i, at in ipairs(ends) do
      if at > 0 then
        found[#found + 1] = #part[i] .. ':' .. part[i] .. string.format('%.0f', at)
        is_ending = is_ending or at <= soon
      end
    end
  end
  return found, is_ending
end
local function flat(value, into)
  if type(value) ~= 'table' then
    into[#into + 1] = tostring(value)
    return into
  end
  into[#into + 1] = '(' .. #value
  for i = 1, #value do
    flat(value[i], into)
  end
  return into
end
local function record(list)
  local found = {}
  for i = 1, #list, 2 do
    found[list[i]] = list[i + 1]
  end
  return found
end
-- A stream whose entries are added in the order of their arrival, whatever their IDs, groups and order: how many were ever added, and,
-- where none of them is gone, what is in them.
local UNKNOWN_HALF = 'ffffffff'
local function arrivals(key)
  local whole = record(redis.call('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0))
  local added, sum, size = whole['entries-added'], 0, 0
  for _, entry in ipairs(whole['entries']) do
    local text = joined(entry[2])
    sum = (sum + tonumber(string.sub(redis.sha1hex(text), 1, 8), 16)) % (2 ^ 32 - 1)
    size = size + #text
  end
  local is_whole = added == #whole['entries']
  -- A server that does not count them tells nothing.
  local count = added and string.format('%08x', added % (2 ^ 32 - 1)) or UNKNOWN_HALF
  return count .. (is_whole and string.format('%08x', sum) or UNKNOWN_HALF), size, added == 0
end
-- Entries, last ID, and the groups with their pending entries; not the times of last access.
local function stream(key)
  local whole = record(redis.call('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0))
  local parts = flat(whole['entries'], { whole['last-generated-id'] })
  local groups = {}
  for _, one in ipairs(whole['groups']) do
    local group = record(one)
    local about = { group['name'], group['last-delivered-id'] }
    groups[#groups + 1] = joined(flat(group['pel'] or group['pending'], about))
  end
  local digest = unordered(groups, 1)
  parts[#parts + 1] = digest
  return ordered(parts)
end
-- Elements with their vectors as the server keeps them, which are the same whichever site put them in, and their attributes. The links
-- between them are made anew at each server, and say nothing.
local function vectors(key)
  local elements = redis.call('VRANDMEMBER', key, redis.call('VCARD', key))
  for i = 1, #elements do
    local parts = flat(redis.call('VEMB', key, elements[i], 'RAW'), { elements[i] })
    local attributes = redis.call('VGETATTR', key, elements[i])
    parts[#parts + 1] = attributes and '=' .. attributes or ''
    elements[i] = joined(parts)
  end
  local digest, size = unordered(elements, 1)
  return string.sub(redis.sha1hex(digest .. #elements .. ':' .. redis.call('VDIM', key)), 1, 16), size
end
local kinds = {
  vectorset = function(key)
    return 'n', vectors(key)
  end,
  string = function(key)
    local value = redis.call('GET', key)
    local found = string.sub(value, 1, 4) == 'HYLL' and #value > 16 and registers(value)
    if found then
      return 's', ordered(found)
    end
    return 's', string.sub(redis.sha1hex(value), 1, 16), #value
  end,
  list = function(key)
    return 'l', ordered(redis.call('LRANGE', key, 0, -1))
  end,
  set = function(key)
    return 'e', unordered(redis.call('SMEMBERS', key), 1)
  end,
  hash = function(key)
    local digest, size = unordered(redis.call('HGETALL', key), 2)
    if fields_expire and redis.call('OBJECT', 'ENCODING', key) ~= 'listpack' then
      local ends, is_ending = field_expiries(key, redis.call('HKEYS', key))
      if #ends > 0 then
        digest = string.sub(redis.sha1hex(digest .. unordered(ends, 1)), 1, 16)
      end
      return 'h', digest, size, is_ending and '!' or ''
    end
    return 'h', digest, size
  end,
  zset = function(key)
    local parts = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 2, #parts, 2 do
      parts[i] = score_text(parts[i])
    end
    return 'z', ordered(parts)
  end,
  stream = function(key)
    return 'x', stream(key)
  end,
}
local function expiry_part(expires)
  if expires == 0 then
    return ''
  end
  -- A server that does not tell when a key expires tells how long it lasts: about.
  return ':' .. string.format('%.0f', expires) .. (redis.REDIS_VERSION_NUM and '' or '~')
end
-- The key in the selected database: its entry and the bytes of its value, `-` and 0 when there is none. An entry that ends with `!`
-- has parts that are about to go by themselves.
local function entry_of(key, arrives, known_kind)
  local kind = known_kind or redis.call('TYPE', key).ok
  if kind == 'none' then
    return '-', 0
  end
  local letter, digest, size, mark
  if arrives and kind == 'stream' then
    local is_new
    letter, digest, size, is_new = 'x', arrivals(key)
    if is_new then
      return '-', 0
    end
  elseif kinds[kind] then
    letter, digest, size, mark = kinds[kind](key)
  else
    local dump = redis.call('DUMP', key)
    letter, digest, size = 'o', string.sub(redis.sha1hex(string.sub(dump, 1, -11)), 1, 16), #dump
  end
  return letter .. digest .. expiry_part(expiry_of(key)) .. (mark or ''), size
end
