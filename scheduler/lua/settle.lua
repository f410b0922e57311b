-- Ends an attempt for good, and its stage with it.
-- Arguments: stage, fence, state ('succeeded', 'failed' or 'cancelled'), tokens and micro-dollars of this attempt in
-- all, then field/value pairs (result, cause, steps, …). Answers 1, or 0 without the lease: a late worker's result does
-- not count.
local id, fence, state, tokens, spent = unpack(ARGS, 1, 5)
if not holds(id, fence) then return 0 end
meter(id, spent, tokens)
let_go(id, false)
redis.call('HDEL', stage_key(id), 'stop', 'progress')
redis.call('HSET', stage_key(id), 'finished', NOW, unpack(ARGS, 6))
move(id, 'running', state, NOW, stage(id, 'cause') or '')
return 1
