-- Sets the priority of a sweep, from the next tick on.
-- Arguments: name, priority.
-- Answers the priority before, or '' if there is no such sweep.
local key = sweep_key(ARGS[1])
if read('EXISTS', key) == 0 then return '' end
local before = read('HGET', key, 'priority') or '0'
write('HSET', key, 'priority', ARGS[2])
return before
