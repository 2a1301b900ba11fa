-- KEYS: key, in the selected database   ARGV: type (`pending` for a group of a stream), where to begin (`` at the beginning), elements
--                   and bytes after which no more is read, 1 if fields of a hash may have deadlines, group
-- Reads a part of a large value.
-- Result: where to go on, `` at the end, then what stands there (see reading.part.lua).
-- @include score
-- @include reading
local limits = { elements = tonumber(ARGV[3]), bytes = tonumber(ARGV[4]), has_deadlines = ARGV[5] == '1', group = ARGV[6] }
return read_part(KEYS[1], ARGV[1], ARGV[2], limits)
