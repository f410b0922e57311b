-- Forgets a sweep that is being removed, once all its stages are dropped.
-- Arguments: sweep.
-- Answers 1, or 0 if it is not being removed or has stages left.
local sweep, key = ARGS[1], sweep_key(ARGS[1])
if not read('HGET', key, 'removing') or read('ZCARD', key .. ':stages') > 0 then return 0 end
for _, part in ipairs({'', ':counts', ':archive', ':answer', ':rounds'}) do write('DEL', key .. part) end
write('ZREM', PREFIX .. 'sweeps', sweep)
write('ZREM', PREFIX .. 'windows', sweep)
write('ZREM', PREFIX .. 'rounds_due', sweep)
return 1
