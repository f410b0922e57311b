-- Takes back stages whose lease or claim ran out. Argument: how many at most. Answers the stages.
local most = tonumber(ARGS[1])
local taken = {}

local function take_back(state, doubtful, detail)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', state_key(state), '-inf', NOW, 'LIMIT', 0, most - #taken)) do
    move(id, state, 'ready', NOW, detail)
    let_go(id, doubtful)
    taken[#taken + 1] = id
  end
end

-- An attempt that never began has cost nothing; what a lost one did at the service nobody knows yet.
take_back('dispatched', false, 'no worker claimed it in time')
take_back('running', true, 'its lease ran out')
return taken
