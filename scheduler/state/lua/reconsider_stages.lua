-- Moves stages to where their parents and their sweeps want them. It changes nothing if they are there already.
-- Arguments: stages.
-- Answers how many moved.
local function find_target(id)
  local all_succeeded = true
  for _, parent in ipairs(read_parents(id)) do
    local state = read_stage(parent, 'state')
    if state == 'failed' or state == 'skipped' then return 'skipped', parent .. ' ' .. state end
    if state ~= 'succeeded' then all_succeeded = false end
  end
  return all_succeeded and 'ready' or 'waiting', ''
end

local function take_out(id, state, target, detail)
  local moved = move(id, state, target, NOW, detail)
  if state == 'dispatched' then withdraw_dispatch(id) end
  return moved
end

local function bring_to(id, state, target, detail)
  if state == 'skipped' and target ~= 'skipped' then
    move(id, 'skipped', 'waiting', NOW, 'its parents were reopened')
    state = 'waiting'
  elseif state == 'ready' and target ~= 'ready' then
    move(id, 'ready', 'waiting', NOW, 'a parent was reopened')
    state = 'waiting'
  end
  if state ~= 'waiting' or target == 'waiting' then return false end
  if target == 'skipped' then write('HSET', stage_key(id), 'cause', 'skipped: ' .. detail) end
  return move(id, 'waiting', target, NOW, detail)
end

local function reconsider(id)
  local state = read_stage(id, 'state')
  if state == 'succeeded' or state == 'failed' or state == 'cancelled' then return false end
  if not is_wanted(id) then
    if state == 'skipped' then return false end
    return state ~= 'running' and take_out(id, state, 'cancelled', 'no sweep wants it')
  end
  if state == 'running' then return false end -- its next renewal tells it what to do
  if state == 'dispatched' then
    return not is_live(read_stage(id, 'payer')) and take_out(id, state, 'ready', 'no sweep pays for it now')
  end
  return bring_to(id, state, find_target(id))
end

local count = 0
for _, id in ipairs(ARGS) do count = count + (reconsider(id) and 1 or 0) end
return count
