-- Stops a sweep from paying until a person resumes it. What runs for this sweep alone saves a checkpoint and is given
-- back; what another sweep wants continues at that sweep's cost.
-- Arguments: name.
-- Answers the state before, or '' if there is no such sweep.
local name = ARGS[1]
local state = read('HGET', sweep_key(name), 'state')
if not state then return '' end
if move_sweep(name, 'active', 'paused') then start_walk(name, 'reconsider') end
return state
