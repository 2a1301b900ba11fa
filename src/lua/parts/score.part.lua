-- A score in digits, the same from every server. A listpack keeps no sign of a zero.
local function score_text(score)
  return string.format('%.17g', tonumber(score) + 0)
end
