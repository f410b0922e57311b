-- Has a sweep go before, or behind, others from the next tick on. Arguments: name, priority. Answers its priority
-- before, or '' if there is none of that name.
local key = sweep_key(ARGS[1])
if read('EXISTS', key) == 0 then return '' end
local before = read('HGET', key, 'priority') or '0'
write('HSET', key, 'priority', ARGS[2])
return before
