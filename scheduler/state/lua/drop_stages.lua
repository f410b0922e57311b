-- Ends the interest of a sweep that is archived or being removed in stages, and deletes those that nothing else needs:
-- no other sweep, no stage that starts from them, no cost that is still to be reconciled. Their checkpoints are
-- discarded.
-- Arguments: sweep, stages (children before their parents).
-- Answers how many stages are deleted.
local sweep = ARGS[1]
local base = sweep_key(sweep)
if not may_drop(sweep) then return 0 end

local function drop(id)
  if has_unreconciled(id) then return 0 end
  write('ZREM', base .. ':stages', id)
  write('ZREM', base .. ':ready:' .. (read_stage(id, 'lane') or ''), id)
  write('HDEL', base .. ':feeds', id)
  write('SREM', stage_key(id) .. ':subscribers', sweep)
  return delete_if_unneeded(id)
end

local count = 0
for i = 2, #ARGS do count = count + drop(ARGS[i]) end
return count
