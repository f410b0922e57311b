-- Ends an attempt that another one will continue.
-- Arguments: stage, fence, tokens and micro-dollars of this attempt in all, milliseconds before the next one may start,
-- 1 if this attempt counts as a failure of the stage, the cause. Answers 1, or 0 without the lease.
local id, fence, tokens, spent, delay, charged, cause = unpack(ARGS, 1, 7)
if not holds(id, fence) then return 0 end
meter(id, spent, tokens)
redis.call('HINCRBY', stage_key(id), 'failures', tonumber(charged))
redis.call('HSET', stage_key(id), 'not_before', NOW + tonumber(delay), 'cause', cause)
if tonumber(delay) > 0 then redis.call('ZADD', PREFIX .. 'delayed', NOW + tonumber(delay), id) end
move(id, 'running', 'ready', NOW, cause)
let_go(id, false)
return 1
