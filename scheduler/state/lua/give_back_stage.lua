-- Ends an attempt whose stage a later attempt continues.
-- Arguments: stage, fence, tokens and micro-dollars of this attempt in total, milliseconds before the next attempt may
-- start, the kind of failure to count ('' for none), how well the cost is known, the cause.
-- Answers 1, or 0 without the lease.
local id, fence, tokens, spent, delay, kind, cost, cause = unpack(ARGS, 1, 8)
if not holds_lease(id, fence) then return 0 end
meter(id, spent, tokens)
if kind ~= '' then add(stage_key(id), failure_field(kind), 1) end
write('HSET', stage_key(id), 'not_before', NOW + tonumber(delay), 'cause', cause)
if tonumber(delay) > 0 then write('ZADD', PREFIX .. 'delayed', NOW + tonumber(delay), id) end
move(id, 'running', 'ready', NOW, cause)
release(id, cost)
return 1
