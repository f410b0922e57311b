-- Forgets a checkpoint that the service no longer has. Arguments: stage, fence. Answers 1, or 0 without the lease.
local id, fence = ARGS[1], ARGS[2]
if not holds(id, fence) then return 0 end
redis.call('HDEL', stage_key(id), 'checkpoint', 'checkpoint_micro_usd')
return 1
