-- Ends an attempt that another one will continue.
-- Arguments: stage, fence, tokens and micro-dollars of this attempt in all, milliseconds before the next one may start,
-- the kind of failure that is counted ('' for none), how well its cost is known, the cause. Answers 1, or 0 without the
-- lease.
local id, fence, tokens, spent, delay, kind, cost, cause = unpack(ARGS, 1, 8)
if not holds_lease(id, fence) then return 0 end
meter(id, spent, tokens)
if kind ~= '' then add(stage_key(id), failure_field(kind), 1) end
write('HSET', stage_key(id), 'not_before', NOW + tonumber(delay), 'cause', cause)
if tonumber(delay) > 0 then write('ZADD', PREFIX .. 'delayed', NOW + tonumber(delay), id) end
move(id, 'running', 'ready', NOW, cause)
release(id, cost)
return 1
