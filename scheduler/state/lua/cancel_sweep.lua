-- Ends a sweep's interest in all its stages.
-- Arguments: name, reason ('' if a person cancels), and the deadline that passed: if a person lifted that deadline
-- meanwhile, nothing happens.
-- Answers the state before, or '' if there is no such sweep.
local name, why = ARGS[1], ARGS[2] or ''
local state = read('HGET', sweep_key(name), 'state')
if not state then return '' end
if ARGS[3] and read('HGET', sweep_key(name), 'deadline') ~= ARGS[3] then return state end
write('ZREM', PREFIX .. 'windows', name) -- also of an ended sweep, or its deadline would stay due
if state == 'active' or state == 'paused' or state == 'opening' then
  move_sweep(name, state, 'cancelled')
  write('HSET', sweep_key(name), 'why', why)
  start_walk(name, 'reconsider')
  notify(name, 'cancelled', why)
end
return state
