-- Notes how many requests a minute the fleet sends to a service, in a series like that of its slots. A place keeps the
-- most that was noted in it.
-- Arguments: service, requests a minute.
-- Answers 1.
local service, rate = ARGS[1], tonumber(ARGS[2])
note_place(PREFIX .. 'requests:' .. service, 6, function(known)
  return string.format('%06d', math.min(math.max(rate, tonumber(known) or 0), 999999))
end)
return 1
