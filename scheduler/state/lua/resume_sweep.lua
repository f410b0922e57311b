-- Lets a paused sweep pay again.
-- Arguments: name.
-- Answers the state before, or '' if there is no such sweep.
local name = ARGS[1]
local state = read('HGET', sweep_key(name), 'state')
if not state then return '' end
if move_sweep(name, 'paused', 'active') then
  write('HDEL', sweep_key(name), 'started') -- the pause does not count in its pace
  start_walk(name, 'reconsider')
end
return state
