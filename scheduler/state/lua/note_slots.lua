-- Notes how many slots of a service are taken, in a series with a place for each five minutes of the last day. A place
-- keeps the most that was noted in it; places in which nobody looked stay empty.
-- Arguments: service, slots taken, the limit found, a letter for the state of the breaker.
-- Answers 1.
local STEP, PLACES, WIDE = 300000, 288, 7
local key = PREFIX .. 'series:' .. ARGS[1]
local last, series = string.match(read('GET', key) or '', '^(%d+):(.*)$')
local place, taken = math.floor(NOW / STEP), tonumber(ARGS[2])
if not last then last, series = place - 1, '' end
last = tonumber(last)
if place <= last then
  place = last
  taken = math.max(taken, tonumber(string.sub(series, -WIDE, -WIDE + 2)) or 0)
  series = string.sub(series, 1, -WIDE - 1)
else
  series = series .. string.rep(string.rep('.', WIDE), math.min(place - last - 1, PLACES))
end
series = series .. string.format('%03d%03d', math.min(taken, 999), math.min(tonumber(ARGS[3]), 999)) .. ARGS[4]
write('SET', key, string.format('%d:', place) .. string.sub(series, -PLACES * WIDE))
return 1
