-- Moves stages that ended without a result back to waiting.
-- Arguments: 'reopen', or 'reopen_failed' to leave cancelled stages as they are, then stages.
-- Answers how many it reopened.
local how = ARGS[1]
local count = 0
for i = 2, #ARGS do
  local id = ARGS[i]
  local state = read_stage(id, 'state')
  if state == 'failed' or (state == 'cancelled' and how == 'reopen') or state == 'skipped' then
    clear_failures(id)
    write('HSET', stage_key(id), 'not_before', 0)
    write('HDEL', stage_key(id), 'cause', 'lost', 'retrained', 'progress')
    -- It may have failed because a parent was retrained too often. A person asks for one more time.
    for _, parent in ipairs(read_parents(id)) do write('HDEL', stage_key(parent), 'retrained') end
    if move(id, state, 'waiting', NOW, 'reopened') then count = count + 1 end
  end
end
return count
