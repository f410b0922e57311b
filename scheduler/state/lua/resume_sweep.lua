-- Lets a paused sweep pay again. Argument: name. Answers its state before, or '' if there is none.
local name = ARGS[1]
local state = read('HGET', sweep_key(name), 'state')
if not state then return '' end
if move_sweep(name, 'paused', 'active') then
  write('HDEL', sweep_key(name), 'started') -- the pause does not count for its pace
  start_walk(name, 'reconsider')
end
return state
