-- Takes the duty of trying a service once, if a try is due. Its cost is booked as spent on the day; no sweep pays for
-- it.
-- Arguments: service, a name of this try, milliseconds after which it counts as failed, milliseconds between the starts
-- of two tries, tokens of training that it takes.
-- Answers the model to try, or ''.
local service, name, patience, pace, tokens = ARGS[1], ARGS[2], tonumber(ARGS[3]), tonumber(ARGS[4]), tonumber(ARGS[5])
local state = read_breaker(service)
if state ~= 'suspect' and state ~= 'open' then return '' end
local row = read('HMGET', breaker_key(service), 'next', 'canary', 'canary_until', 'model', 'rates')
if row[2] == name then return row[4] or '' end
if not row[4] or to_number(row[1]) > NOW or to_number(row[3]) > NOW then return '' end
local rates = row[5] ~= '' and cjson.decode(row[5]) or {}
local cost = compute_price({training = tokens}, rates)
if not is_affordable_today(service, cost) then return '' end
add(day_key(service, TODAY), 'spent', cost, 'canaries', 1)
write('HSET', day_key(service, TODAY), 'canary:' .. name, 1) -- so that a loss of writes shows which are booked
write('HSET', breaker_key(service), 'canary', name, 'canary_until', NOW + patience, 'next', NOW + pace)
return row[4]
