-- Records a checkpoint from which a later attempt can go on.
-- Arguments: stage, fence, tokens and micro-dollars of this attempt in all, micro-dollars that the checkpoint embodies
-- (of all attempts it grew from), the checkpoint as JSON. Answers 1, or 0 without the lease.
local id, fence, tokens, spent, embodied, checkpoint = unpack(ARGS, 1, 6)
if not holds(id, fence) then return 0 end
meter(id, spent, tokens)
redis.call('HSET', stage_key(id), 'checkpoint', checkpoint, 'checkpoint_micro_usd', embodied,
  'losses', 0)
return 1
