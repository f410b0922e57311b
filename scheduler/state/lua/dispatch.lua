-- Admits a ready stage at the cost of one sweep: takes slot and reservation until it is claimed.
-- Arguments: stage, sweep, milliseconds until the claim must have come. Answers {attempt} or {0, why not}.
local id, sweep, patience = ARGS[1], ARGS[2], tonumber(ARGS[3])
if stage(id, 'state') ~= 'ready' then return {0, 'not ready'} end
if number(stage(id, 'not_before')) > NOW then return {0, 'backoff'} end
local reason = refuse(id, sweep) or no_room(id)
if reason == 'budget' then tell_budget(sweep, true) end
if reason then return {0, reason} end
hold(id, sweep, remaining(id))
local attempt = add(stage_key(id), 'attempt', 1)
move(id, 'ready', 'dispatched', NOW + patience, 'paid by ' .. sweep)
hold_slot(stage(id, 'lane'), id .. '|' .. attempt, NOW + patience)
if read('HEXISTS', breaker_key(stage(id, 'service')), 'model') == 0 then canary_goes_to(id) end
return {attempt, ''}
