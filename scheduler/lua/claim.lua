-- Takes the lease of a dispatched stage. Arguments: stage, attempt, worker, lease in milliseconds.
-- Answers the fencing number, or '' when this attempt is not the one that was dispatched: a repeated, late or
-- stray message ends here.
local id, attempt, worker, ttl = ARGS[1], ARGS[2], ARGS[3], tonumber(ARGS[4])
if stage(id, 'state') ~= 'dispatched' or stage(id, 'attempt') ~= attempt then return '' end
local fence = lease(id, worker, ttl)
move(id, 'dispatched', 'running', NOW + ttl, '')
return fence
