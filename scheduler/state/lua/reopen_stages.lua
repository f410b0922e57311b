-- Gives stages that ended without a result another life. Arguments: 'reopen', or 'reopen_failed' which leaves those that
-- were called off as they are, then stages. Answers how many were reopened.
local how = ARGS[1]
local count = 0
for i = 2, #ARGS do
  local id = ARGS[i]
  local state = read_stage(id, 'state')
  if state == 'failed' or (state == 'cancelled' and how == 'reopen') or state == 'skipped' then
    clear_failures(id)
    write('HSET', stage_key(id), 'not_before', 0)
    write('HDEL', stage_key(id), 'cause', 'retrained', 'progress')
    -- It may have failed because a parent was trained again too often: a person says that it may be once more.
    for _, parent in ipairs(read_parents(id)) do write('HDEL', stage_key(parent), 'retrained') end
    if move(id, state, 'waiting', NOW, 'opened again') then count = count + 1 end
  end
end
return count
