-- Takes back stages whose lease or claim ran out. Arguments: how many at most, how many attempts in a row may be lost
-- without a new checkpoint before the stage itself is suspected, and fails. Answers the stages.
local most, losses_allowed = tonumber(ARGS[1]), tonumber(ARGS[2])
local taken = {}

-- A stage that kills whoever works on it would otherwise be paid for without end.
local function too_many_losses(id)
  return redis.call('HINCRBY', stage_key(id), 'losses', 1) >= losses_allowed
end

local function take_back(state, doubtful, detail)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', state_key(state), '-inf', NOW, 'LIMIT', 0, most - #taken)) do
    if state == 'running' and too_many_losses(id) then
      local cause = losses_allowed .. ' attempts in a row were lost with their worker, and none got further'
      redis.call('HSET', stage_key(id), 'cause', cause, 'finished', NOW)
      move(id, 'running', 'failed', NOW, cause)
    else
      move(id, state, 'ready', NOW, detail)
    end
    let_go(id, doubtful)
    taken[#taken + 1] = id
  end
end

-- An attempt that never began has cost nothing; what a lost one did at the service nobody knows yet.
take_back('dispatched', false, 'no worker claimed it in time')
take_back('running', true, 'its lease ran out')
return taken
