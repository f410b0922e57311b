-- Has a sweep go before, or behind, others from the next tick on. Arguments: name, priority. Answers its priority
-- before, or '' if there is none of that name.
local key = sweep_key(ARGS[1])
if redis.call('EXISTS', key) == 0 then return '' end
local before = redis.call('HGET', key, 'priority') or '0'
redis.call('HSET', key, 'priority', ARGS[2])
return before
