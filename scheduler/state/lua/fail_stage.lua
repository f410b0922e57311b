-- Fails a stage on which another verb raises an error. It reads as little as possible, so that the same error does not
-- stop it.
-- Arguments: stage, cause, the fence of the worker that holds it ('' if the caller is not that worker).
-- Answers 1, or 0 if the stage is not under way or the lease is over.
local id, why, fence = ARGS[1], ARGS[2], ARGS[3]
local state = read_stage(id, 'state')
if fence ~= '' and not holds_lease(id, fence) then return 0 end
if state ~= 'ready' and state ~= 'dispatched' and state ~= 'running' then return 0 end
write('HSET', stage_key(id), 'cause', why)
move(id, state, 'failed', NOW, why)
if state == 'dispatched' then withdraw_dispatch(id) end
if state == 'running' then release(id, 'unknown') end
return 1
