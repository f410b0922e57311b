-- Fails a stage with which another verb cannot do, for a bug of ours or for what is written of it.
-- Arguments: stage, why, the fence where a worker holds it ('' where nobody says so). Answers 1, or 0 where it is not under
-- way, or the lease is over. It asks for as little as possible: what is broken must not keep it from this.
local id, why, fence = ARGS[1], ARGS[2], ARGS[3]
local state = read_stage(id, 'state')
if fence ~= '' and not holds_lease(id, fence) then return 0 end
if state ~= 'ready' and state ~= 'dispatched' and state ~= 'running' then return 0 end
write('HSET', stage_key(id), 'cause', why)
move(id, state, 'failed', NOW, why)
if state == 'dispatched' then withdraw_dispatch(id) end
if state == 'running' then release(id, 'unknown') end
return 1
