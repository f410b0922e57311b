-- Ends an attempt for good, and its stage with it.
-- Arguments: stage, fence, state ('succeeded', 'failed' or 'cancelled'), tokens and micro-dollars of this attempt in
-- all, then field/value pairs (result, cause, steps, …). Answers 1, or 0 without the lease: a late worker's result does
-- not count.
local id, fence, state, tokens, spent = unpack(ARGS, 1, 5)
if not holds(id, fence) then return 0 end
-- Somebody wants it again since it was asked to stop: another attempt goes on.
if state == 'cancelled' and wanted(id) then state = 'ready' end
meter(id, spent, tokens)
redis.call('HDEL', stage_key(id), 'progress')
redis.call('HSET', stage_key(id), 'finished', NOW, unpack(ARGS, 6))
move(id, 'running', state, NOW, stage(id, 'cause') or '')
let_go(id, false)
return 1
