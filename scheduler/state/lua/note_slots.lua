-- Notes how many slots of a service are taken, in a series with a place for each five minutes of the last day. A place
-- keeps the most that was noted in it; places in which nobody looked stay empty.
-- Arguments: service, slots taken, the limit found, a letter for the state of the breaker.
-- Answers 1.
local service, taken, limit, breaker = ARGS[1], tonumber(ARGS[2]), tonumber(ARGS[3]), ARGS[4]
note_place(PREFIX .. 'series:' .. service, 7, function(known)
  local most = math.max(taken, tonumber(string.sub(known, 1, 3)) or 0)
  return string.format('%03d%03d', math.min(most, 999), math.min(limit, 999)) .. breaker
end)
return 1
