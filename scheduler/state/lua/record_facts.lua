-- Keeps what was found out about our account at a service, each answer with its time.
-- Arguments: the service, the bill that this answers ('' where it answers none), then names and values; an empty value
-- forgets. Answers 1, or 0 where that bill is no longer waited for.
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
