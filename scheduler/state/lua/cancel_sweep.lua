-- Ends a sweep's interest in all its stages. Arguments: name, why ('' where a person says so), and the deadline for which
-- it is done: where a person has said meanwhile that it counts no more, nothing is.
-- Answers its state before, or '' if there is none.
local name, why = ARGS[1], ARGS[2] or ''
local state = read('HGET', sweep_key(name), 'state')
if not state then return '' end
if ARGS[3] and read('HGET', sweep_key(name), 'deadline') ~= ARGS[3] then return state end
write('ZREM', PREFIX .. 'windows', name) -- of one that has ended as well, or its deadline would be due for ever
if state == 'active' or state == 'paused' or state == 'opening' then
  move_sweep(name, state, 'cancelled')
  write('HSET', sweep_key(name), 'why', why)
  start_walk(name, 'reconsider')
  notify(name, 'cancelled', why)
end
return state
