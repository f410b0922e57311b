-- Lets a sweep pay for nothing until it is resumed. Argument: name. Answers its state before, or '' if there is none.
-- What runs for it alone checkpoints and is given back; what another sweep wants goes on at that one's cost.
local name = ARGS[1]
local state = read('HGET', sweep_key(name), 'state')
if not state then return '' end
if move_sweep(name, 'active', 'paused') then start_walk(name, 'reconsider') end
return state
