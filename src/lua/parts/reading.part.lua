-- Reads a part of a large value, from a place on (`` at the beginning), until there are `elements` or `bytes` of it. A few elements are
-- read at a time: how large they are is not known before. Needs `score_text`; with `as_scored` scores are as the server says them.
-- Gives where to go on, `` at the end, then what stands there. Of a hash fields, each with its value and deadline; of a sorted set
-- members, each with its score; of a stream for each entry ID, number of fields and values, these; of a group for each pending entry
-- ID, consumer, deliveries.
local FEW, MORE, SMALL_BYTES = 16, 128, 4096
local function read_part(key, kind, from, limits)
  local found, bytes, count = { '' }, 0, 0
  local most, most_bytes = limits.elements, limits.bytes
  local function add(text)
    found[#found + 1] = text
    bytes = bytes + #text
  end
  local function behind(id)
    return id == '' and '-' or '(' .. id
  end
  local function each(elements)
    for i = 1, #elements do
      add(elements[i])
    end
  end
  local function place(at)
    return tonumber(at) or 0
  end
  local function next_place(at, few, length)
    return length == few and string.format('%.0f', place(at) + few) or nil
  end
  local function cursor(at)
    return at == '' and '0' or at
  end
  local function next_cursor(at)
    return at ~= '0' and at or nil
  end
  local function deadlines(pairs)
    if not limits.has_deadlines or #pairs == 0 then
      return {}
    end
    local fields = {}
    for i = 1, #pairs, 2 do
      fields[#fields + 1] = pairs[i]
    end
    return redis.call('HPEXPIRETIME', key, 'FIELDS', #fields, unpack(fields))
  end
  -- Each reads about so many elements, from a place on, and gives how many it has read, and where to go on; nothing at the end.
  local readers = {
    list = function(at, few)
      local elements = redis.call('LRANGE', key, place(at), place(at) + few - 1)
      each(elements)
      return #elements, next_place(at, few, #elements)
    end,
    zset = function(at, few)
      local pairs = redis.call('ZRANGE', key, place(at), place(at) + few - 1, 'WITHSCORES')
      for i = 1, #pairs, 2 do
        add(pairs[i])
        add(limits.as_scored and pairs[i + 1] or score_text(pairs[i + 1]))
      end
      return #pairs / 2, next_place(at, few, #pairs / 2)
    end,
    set = function(at, few)
      local reply = redis.call('SSCAN', key, cursor(at), 'COUNT', few)
      each(reply[2])
      return #reply[2], next_cursor(reply[1])
    end,
    hash = function(at, few)
      local reply = redis.call('HSCAN', key, cursor(at), 'COUNT', few)
      local pairs = reply[2]
      local ends = deadlines(pairs)
      for i = 1, #pairs / 2 do
        add(pairs[2 * i - 1])
        add(pairs[2 * i])
        add(ends[i] and ends[i] > 0 and string.format('%.0f', ends[i]) or '')
      end
      return #pairs / 2, next_cursor(reply[1])
    end,
    stream = function(at, few)
      local entries = redis.call('XRANGE', key, behind(at), '+', 'COUNT', few)
      for _, entry in ipairs(entries) do
        add(entry[1])
        add(tostring(#entry[2]))
        each(entry[2])
      end
      return #entries, #entries == few and entries[few][1] or nil
    end,
    pending = function(at, few)
      local entries = redis.call('XPENDING', key, limits.group, behind(at), '+', few)
      for _, entry in ipairs(entries) do
        add(entry[1])
        add(entry[2])
        add(tostring(entry[4]))
      end
      return #entries, #entries == few and entries[few][1] or nil
    end,
  }
  if kind == 'string' then
    local first = tonumber(from) or 0
    local text = redis.call('GETRANGE', key, first, first + most_bytes - 1)
    return { #text == most_bytes and string.format('%.0f', first + #text) or '', text }
  end
  local few, next_one = FEW, from
  repeat
    local before, length = bytes, 0
    length, next_one = readers[kind](next_one, few)
    -- A table may have many places and few elements.
    count = count + math.max(length, few / 4)
    few = bytes - before < SMALL_BYTES and math.min(2 * few, MORE) or FEW
  until not next_one or count >= most or bytes >= most_bytes
  found[1] = next_one or ''
  return found
end
