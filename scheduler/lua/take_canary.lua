-- Takes the duty of trying a service once, where that is due. Arguments: service, a name of this try, milliseconds after
-- which it counts as failed, milliseconds between the beginnings of two tries.
-- Answers the model to try it with, or ''.
local service, name, patience, pace = ARGS[1], ARGS[2], tonumber(ARGS[3]), tonumber(ARGS[4])
local state = breaker(service)
if state ~= 'suspect' and state ~= 'open' then return '' end
local row = redis.call('HMGET', breaker_key(service), 'next', 'canary', 'canary_until', 'model')
if row[2] == name then return row[4] or '' end
if not row[4] or number(row[1]) > NOW or number(row[3]) > NOW then return '' end
redis.call('HSET', breaker_key(service), 'canary', name, 'canary_until', NOW + patience, 'next', NOW + pace)
return row[4]
