-- Admits a ready stage at the cost of one sweep: takes a slot and a reservation until a worker claims the stage.
-- Arguments: stage, sweep, milliseconds until the claim is overdue.
-- Answers {attempt}, or {0, the closed gate}.
local id, sweep, patience = ARGS[1], ARGS[2], tonumber(ARGS[3])
if read_stage(id, 'state') ~= 'ready' then return {0, 'not ready'} end
if to_number(read_stage(id, 'not_before')) > NOW then return {0, 'backoff'} end
local reason = check_gates(id, sweep) or check_room(id)
if reason == 'budget' then notify_budget(sweep, true) end
if reason then return {0, reason} end
reserve(id, sweep, estimate_remaining(id))
local attempt = add(stage_key(id), 'attempt', 1)
move(id, 'ready', 'dispatched', NOW + patience, 'charged to ' .. sweep)
take_slot(read_stage(id, 'lane'), id .. '|' .. attempt, NOW + patience)
if read('HEXISTS', breaker_key(read_stage(id, 'service')), 'model') == 0 then set_canary_model(id) end
return {attempt, ''}
