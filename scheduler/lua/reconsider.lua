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

-- What the attempt that runs should do: go on (nil), 'stop' for good, 'yield' from a fresh checkpoint.
local function ask(id, what)
  if (stage(id, 'stop') or nil) == what then return false end
  if what then redis.call('HSET', stage_key(id), 'stop', what) else redis.call('HDEL', stage_key(id), 'stop') end
  return true
end

local function take_out(id, state, target, detail)
  local moved = move(id, state, target, NOW, detail)
  if state == 'dispatched' then let_go(id, 'exact') end
  return moved
end

-- Of one that is under way: a sweep that pays no more must not go on paying, and another one that wants it will.
local function under_way(id, state)
  local paid = is_live(stage(id, 'payer'))
  if state == 'running' then return ask(id, not paid and 'yield' or nil) end
  return not paid and take_out(id, state, 'ready', 'nobody pays for it at the moment')
end

local function bring_to(id, state, target, detail)
  if state == 'skipped' and target ~= 'skipped' then
    move(id, 'skipped', 'waiting', NOW, 'its parents are open again')
    state = 'waiting'
  elseif state == 'ready' and target ~= 'ready' then
    move(id, 'ready', 'waiting', NOW, 'a parent was opened again')
    state = 'waiting'
  end
  if state ~= 'waiting' or target == 'waiting' then return false end
  if target == 'skipped' then redis.call('HSET', stage_key(id), 'cause', 'skipped: ' .. detail) end
  return move(id, 'waiting', target, NOW, detail)
end

local function reconsider(id)
  local state = stage(id, 'state')
  if state == 'succeeded' or state == 'failed' or state == 'cancelled' then return false end
  if not wanted(id) then
    if state == 'skipped' then return false end
    if state == 'running' then return ask(id, 'stop') end
    return take_out(id, state, 'cancelled', 'no sweep wants it')
  end
  if state == 'running' or state == 'dispatched' then return under_way(id, state) end
  return bring_to(id, state, fate(id))
end

local count = 0
for _, id in ipairs(ARGS) do count = count + (reconsider(id) and 1 or 0) end
return count
