-- Reserves more for an attempt whose estimate was too small, before it submits the work that this pays for.
-- Arguments: stage, fence, tokens and micro-dollars of this attempt in total, micro-dollars that the next step needs.
-- Answers 'held', 'lost', or the closed gate. After a closed gate the next attempt starts only if that amount can be
-- reserved.
local id, fence, tokens, spent, needed = ARGS[1], ARGS[2], ARGS[3], ARGS[4], tonumber(ARGS[5])
if not holds_lease(id, fence) then return 'lost' end
meter(id, spent, tokens)
local more, payer = needed - to_number(read_stage(id, 'reserved')), read_stage(id, 'payer')
if more <= 0 then return 'held' end
local gate = check_budget(id, payer, more)
if gate then
  if gate == 'budget' then notify_budget(payer, true) end
  write('HSET', stage_key(id), 'short', needed)
  write('HSET', sweep_key(payer), 'gate', gate)
  return gate
end
add(stage_key(id), 'reserved', more)
book(id, payer, {reserved = more})
return 'held'
