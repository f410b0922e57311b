-- Gives a worker the lease of a child of the stage that it just finished, so that it continues on the live client. The
-- gates are those of dispatch_stage.
-- Arguments: stage, sweep that pays, worker, lease in milliseconds, a name of this call, the attempt (stage|number)
-- that opened the session, and what was used in the session before, as JSON.
-- Answers the fencing number, or '' if a gate is closed.
local id, sweep, worker, ttl, call = ARGS[1], ARGS[2], ARGS[3], tonumber(ARGS[4]), ARGS[5]
local taken = find_lease(id, call)
if taken then return taken end
local state = read_stage(id, 'state')
if state ~= 'waiting' and state ~= 'ready' then return '' end
if read('SISMEMBER', stage_key(id) .. ':subscribers', sweep) == 0 then return '' end
if to_number(read_stage(id, 'not_before')) > NOW or check_gates(id, sweep) then return '' end
if state == 'waiting' then move(id, 'waiting', 'ready', NOW, '') end
reserve(id, sweep, estimate_remaining(id))
add(stage_key(id), 'attempt', 1)
move(id, 'ready', 'dispatched', NOW + ttl, 'charged to ' .. sweep)
local fence = take_lease(id, worker, call)
write('HSET', stage_key(id), 'opened_by', ARGS[6], 'opened_usage', ARGS[7], 'slot', ARGS[6])
take_slot(read_stage(id, 'lane'), ARGS[6], NOW + ttl)
move(id, 'dispatched', 'running', NOW + ttl, 'runs right after its training, on the same worker')
begin_sweep(id)
return fence
