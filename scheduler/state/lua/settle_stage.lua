-- Ends an attempt for good, and its stage with it.
-- Arguments: stage, fence, state ('succeeded', 'failed' or 'cancelled'), tokens and micro-dollars of this attempt in
-- all, how well its cost is known, then field/value pairs, one at least (result, cause). Answers 1, or 0 without the lease:
-- a late worker's result does not count.
local id, fence, state, tokens, spent, cost = unpack(ARGS, 1, 6)
if not holds_lease(id, fence) then return 0 end
-- Somebody wants it again since it was asked to stop: another attempt goes on.
if state == 'cancelled' and is_wanted(id) then state = 'ready' end
meter(id, spent, tokens)
write('HSET', stage_key(id), unpack(ARGS, 7))
if state == 'succeeded' then
  write('HDEL', stage_key(id), 'progress')
  clear_failures(id)
  keep_newest(id, 1)
end
move(id, 'running', state, NOW, read_stage(id, 'cause') or '')
release(id, cost)
return 1
