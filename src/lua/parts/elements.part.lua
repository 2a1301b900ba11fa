-- The value of a key as the commands that make it, for a server that does not take this one's dumps. Needs `fields_expire`.
local MAX_ELEMENTS = 1000
-- Arguments of a command: the receiver's script has to hand it on.
local MAX_ARGUMENTS = 4000
local function command(...)
  local parts = { ... }
  for i = 1, #parts do
    parts[i] = bulk(parts[i])
  end
  return '*' .. #parts .. '\r\n' .. table.concat(parts)
end
-- An even number of elements in each command: fields stay with their values.
local function gathered(name, key, elements)
  local commands = {}
  for from = 1, #elements, MAX_ELEMENTS do
    local parts = {}
    for i = from, math.min(from + MAX_ELEMENTS - 1, #elements) do
      parts[#parts + 1] = bulk(elements[i])
    end
    commands[#commands + 1] = '*' .. 2 + #parts .. '\r\n' .. bulk(name) .. bulk(key) .. table.concat(parts)
  end
  return commands
end
local function swapped(pairs)
  for i = 1, #pairs, 2 do
    pairs[i], pairs[i + 1] = pairs[i + 1], pairs[i]
  end
  return pairs
end
local function hash_elements(key)
  local commands = gathered('HSET', key, redis.call('HGETALL', key))
  if not fields_expire or redis.call('OBJECT', 'ENCODING', key) == 'listpack' then
    return commands
  end
  local fields = redis.call('HKEYS', key)
  for from = 1, #fields, MAX_ELEMENTS do
    local part = { unpack(fields, from, math.min(from + MAX_ELEMENTS - 1, #fields)) }
    for i, at in ipairs(redis.call('HPEXPIRETIME', key, 'FIELDS', #part, unpack(part))) do
      if at > 0 then
        commands[#commands + 1] = command('HPEXPIREAT', key, string.format('%.0f', at), 'FIELDS', '1', part[i])
      end
    end
  end
  return commands
end
local function named(list)
  local found = {}
  for i = 1, #list, 2 do
    found[list[i]] = list[i + 1]
  end
  return found
end
-- By their numbers, which are longer than a number here is exact.
local function is_before(one, other)
  local ms, sequence = string.match(one, '(%d+)-(%d+)')
  local its_ms, its_sequence = string.match(other, '(%d+)-(%d+)')
  local function less(a, b)
    return #a < #b or (#a == #b and a < b)
  end
  return less(ms, its_ms) or (ms == its_ms and less(sequence, its_sequence))
end
-- Entries that are pending and gone: a server takes no claim of them, so they are there meanwhile.
local function gone_entries(whole)
  local known, gone = {}, {}
  for _, entry in ipairs(whole['entries']) do
    known[entry[1]] = true
  end
  for _, one in ipairs(whole['groups']) do
    local group = named(one)
    for _, pending in ipairs(group['pel'] or group['pending']) do
      if not known[pending[1]] then
        known[pending[1]] = true
        gone[#gone + 1] = pending[1]
      end
    end
  end
  table.sort(gone, is_before)
  return gone
end
local function group_elements(key, group, commands)
  local read = tonumber(group['entries-read'])
  local create = { 'XGROUP', 'CREATE', key, group['name'], group['last-delivered-id'] }
  if read then
    create[6], create[7] = 'ENTRIESREAD', string.format('%.0f', read)
  end
  commands[#commands + 1] = command(unpack(create))
  for _, consumer in ipairs(group['consumers']) do
    commands[#commands + 1] = command('XGROUP', 'CREATECONSUMER', key, group['name'], named(consumer)['name'])
  end
  for _, pending in ipairs(group['pel'] or group['pending']) do
    local id, consumer, delivered, times = unpack(pending)
    commands[#commands + 1] = command('XCLAIM', key, group['name'], consumer, '0', id, 'TIME', string.format('%.0f', delivered),
      'RETRYCOUNT', string.format('%.0f', times), 'FORCE', 'JUSTID')
  end
end
local function stream_elements(key)
  local whole = named(redis.call('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0))
  local gone, commands, at = gone_entries(whole), {}, 1
  local function add_gone(before)
    while gone[at] and (not before or is_before(gone[at], before)) do
      commands[#commands + 1] = command('XADD', key, gone[at], 'f', '')
      at = at + 1
    end
  end
  for _, entry in ipairs(whole['entries']) do
    add_gone(entry[1])
    local fields = entry[2]
    if #fields + 3 > MAX_ARGUMENTS then
      return nil
    end
    for i = 1, #fields do
      fields[i] = bulk(fields[i])
    end
    commands[#commands + 1] = '*' .. #fields + 3 .. '\r\n' .. bulk('XADD') .. bulk(key) .. bulk(entry[1]) .. table.concat(fields)
  end
  add_gone()
  if #commands == 0 then
    commands[1] = command('XGROUP', 'CREATE', key, 'g', '0', 'MKSTREAM')
    commands[2] = command('XGROUP', 'DESTROY', key, 'g')
  end
  for _, group in ipairs(whole['groups']) do
    group_elements(key, named(group), commands)
  end
  for _, id in ipairs(gone) do
    commands[#commands + 1] = command('XDEL', key, id)
  end
  local set = { 'XSETID', key, whole['last-generated-id'] }
  if whole['max-deleted-entry-id'] then
    set[4], set[5] = 'ENTRIESADDED', string.format('%.0f', whole['entries-added'])
    set[6], set[7] = 'MAXDELETEDID', whole['max-deleted-entry-id']
  end
  commands[#commands + 1] = command(unpack(set))
  return commands
end
local element_kinds = {
  string = function(key)
    return { command('SET', key, redis.call('GET', key)) }
  end,
  list = function(key)
    return gathered('RPUSH', key, redis.call('LRANGE', key, 0, -1))
  end,
  set = function(key)
    return gathered('SADD', key, redis.call('SMEMBERS', key))
  end,
  zset = function(key)
    return gathered('ZADD', key, swapped(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')))
  end,
  hash = hash_elements,
  stream = stream_elements,
}
-- The form that a dump, which is not empty, is sent in: its bytes, and a word where they are no dump that every server takes. `accepted` are
-- the versions of dumps the receiver takes, empty where they are not known.
local function value_form(key, dump, accepted, wants_elements)
  if not wants_elements then
    if accepted == '' then
      return dump, nil
    end
    local low, high = string.byte(dump, -10, -9)
    if not high or string.find(accepted, ',' .. low + 256 * high .. ',', 1, true) then
      return dump, nil
    end
  end
  local elements_of = element_kinds[redis.call('TYPE', key).ok]
  local elements = elements_of and elements_of(key)
  if not elements then
    return dump, 'dump'
  end
  return table.concat(elements), 'elements'
end
-- The first bytes of dumps of what is no list, in the versions that are known: its type need not be asked for.
local NO_LIST = {}
for _, first in ipairs({ 0, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25 }) do
  NO_LIST[first] = true
end
local function list_length(key, dump)
  if NO_LIST[string.byte(dump)] or redis.call('TYPE', key).ok ~= 'list' then
    return '-1'
  end
  return string.format('%.0f', redis.call('LLEN', key))
end
-- A TANDEM.STATE of a key in the selected database, and the bytes of its value. `bulks` are those of `database`, `rank`, `site` and
-- `since`. No key at all ranks below everything, like a removal.
local function state_of(key, dump, bulks, options)
  if not dump then
    return '*9\r\n' .. bulk('TANDEM.STATE') .. bulks.database .. bulk(key) .. bulk('0') .. bulk('-1') .. bulks.site .. bulks.since
      .. bulk('-1') .. bulk(''), 0
  end
  local value, form = value_form(key, dump, options.accepted, options.wants_elements)
  form = form or (options.whole and 'whole') or nil
  local expires = expiry_of(key)
  return (form and '*10' or '*9') .. '\r\n$12\r\nTANDEM.STATE\r\n' .. bulks.database .. '$' .. #key .. '\r\n' .. key .. '\r\n'
    .. (expires == 0 and '$1\r\n0\r\n' or bulk(string.format('%.0f', expires))) .. bulks.rank .. bulks.site .. bulks.since .. bulk(list_length(key, dump))
    .. '$' .. #value .. '\r\n' .. value .. '\r\n' .. (form and bulk(form) or ''), #value
end
