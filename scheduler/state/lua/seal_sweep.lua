-- Makes a sweep active once all its stages are written. The walk that follows also reopens stages that ended without a
-- result before this sweep wanted them.
-- Arguments: name.
-- Answers 1 if the sweep was opening.
local name = ARGS[1]
if read('HGET', sweep_key(name), 'state') ~= 'opening' then return 0 end
write('HSET', sweep_key(name), 'sealed', 1)
begin_window(name)
move_sweep(name, 'opening', 'active')
start_walk(name, 'reopen')
return 1
