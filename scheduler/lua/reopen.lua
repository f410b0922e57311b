-- Gives stages that ended without a result another life. Arguments: stages. Answers how many were reopened.
local count = 0
for _, id in ipairs(ARGS) do
  local state = stage(id, 'state')
  if state == 'failed' or state == 'cancelled' or state == 'skipped' then
    forgive(id)
    redis.call('HSET', stage_key(id), 'not_before', 0)
    redis.call('HDEL', stage_key(id), 'cause', 'retrained', 'progress')
    -- It may have failed because a parent was trained again too often: a person says that it may be once more.
    for _, parent in ipairs(parents(id)) do redis.call('HDEL', stage_key(parent), 'retrained') end
    if move(id, state, 'waiting', NOW, 'opened again') then count = count + 1 end
  end
end
return count
