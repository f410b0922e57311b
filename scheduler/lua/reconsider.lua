-- Brings stages to where their parents and their sweeps want them; nothing happens where they are there already.
-- Arguments: stages. Answers how many moved or were asked to stop.
local function fate(id)
  local all_succeeded = true
  for _, parent in ipairs(parents(id)) do
    local state = stage(parent, 'state')
    if state == 'failed' or state == 'skipped' then return 'skipped', parent .. ' ' .. state end
    if state ~= 'succeeded' then all_succeeded = false end
  end
  return all_succeeded and 'ready' or 'waiting', ''
end

local function call_off(id, state)
  if state == 'running' then
    return redis.call('HSET', stage_key(id), 'stop', 1) == 1
  end
  move(id, state, 'cancelled', NOW, 'no sweep wants it')
  if state == 'dispatched' then let_go(id, false) end
  return true
end

local function reconsider(id)
  local state = stage(id, 'state')
  if state == 'succeeded' or state == 'failed' or state == 'cancelled' then return false end
  if not wanted(id) then return state ~= 'skipped' and call_off(id, state) end
  if state == 'running' then return redis.call('HDEL', stage_key(id), 'stop') == 1 end
  local target, detail = fate(id)
  if state == 'skipped' and target ~= 'skipped' then
    move(id, 'skipped', 'waiting', NOW, 'its parents are open again')
    state = 'waiting'
  end
  if state ~= 'waiting' or target == 'waiting' then return false end
  if target == 'skipped' then redis.call('HSET', stage_key(id), 'cause', 'skipped: ' .. detail) end
  return move(id, 'waiting', target, NOW, detail)
end

local count = 0
for _, id in ipairs(ARGS) do
  if reconsider(id) then count = count + 1 end
end
return count
