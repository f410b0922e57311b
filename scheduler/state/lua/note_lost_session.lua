-- Notes a session of this fleet that belongs to no stage that the books know: a sweep, or a canary, that was lost. What
-- it cost is booked once the service's count is complete.
-- Arguments: service, session, for what it was (a sweep or a canary), when it began (milliseconds), milliseconds until
-- the count is complete.
-- Answers 1, or 0 if it is known.
local service, session, label, began, lag = ARGS[1], ARGS[2], ARGS[3], tonumber(ARGS[4]), tonumber(ARGS[5])
local name = string.match(label, '^canary (.*)$')
if name then
  local day = count_days(began)
  for _, number in ipairs({day - 1, day, day + 1}) do
    if read('HEXISTS', day_key(service, number), 'canary:' .. name) == 1 then return 0 end
  end
end
if read('HEXISTS', PREFIX .. 'lost_sessions', session) == 1 then return 0 end
write('HSET', PREFIX .. 'lost_sessions', session, cjson.encode({service = service, label = label, began = began,
  due = NOW + lag}))
doubt(0, 1)
return 1
