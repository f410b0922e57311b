-- Ends an attempt for good, and its stage with it. The result of a late worker does not count.
-- Arguments: stage, fence, state ('succeeded', 'failed' or 'cancelled'), tokens and micro-dollars of this attempt in
-- total, how well the cost is known, then fields and values, one pair at least (result, cause, lost).
-- Answers 1, or 0 without the lease.
local id, fence, state, tokens, spent, cost = unpack(ARGS, 1, 6)
if not holds_lease(id, fence) then return 0 end
-- A sweep wants it again since it was told to stop: another attempt continues it.
if state == 'cancelled' and is_wanted(id) then state = 'ready' end
meter(id, spent, tokens)
local kept, gone = {}, {'lost'} -- of an attempt before
for i = 7, #ARGS, 2 do
  if ARGS[i + 1] == '' then
    gone[#gone + 1] = ARGS[i]
  else
    kept[#kept + 1], kept[#kept + 2] = ARGS[i], ARGS[i + 1]
  end
end
if state == 'succeeded' then gone[#gone + 1] = 'progress' end
write('HDEL', stage_key(id), unpack(gone))
if #kept > 0 then write('HSET', stage_key(id), unpack(kept)) end
if state == 'succeeded' then
  clear_failures(id)
  keep_newest(id, 1)
end
move(id, 'running', state, NOW, read_stage(id, 'cause') or '')
release(id, cost)
return 1
