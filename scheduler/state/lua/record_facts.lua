-- Records facts about our account at a service, each with its time.
-- Arguments: the service, the bill that this answers ('' if it answers none), then names and values; an empty value
-- deletes the fact.
-- Answers 1, or 0 if that bill is not awaited any more.
local key = PREFIX .. 'account:' .. ARGS[1]
if ARGS[2] ~= '' and read('HGET', key, 'pending') ~= ARGS[2] then return 0 end
for i = 3, #ARGS, 2 do
  local name, value = ARGS[i], ARGS[i + 1]
  if value == '' then
    write('HDEL', key, name, name .. '_at')
  else
    write('HSET', key, name, value, name .. '_at', NOW)
  end
end
return 1
