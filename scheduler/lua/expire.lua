-- Takes back stages whose lease or claim ran out, and those whose attempt gets no further although its worker lives.
-- Arguments: how many at most, milliseconds without progress, how many attempts in a row may be lost, and how many may
-- stall, before the stage itself is suspected, and fails. Answers the stages.
local most, quiet, losses, stalls = tonumber(ARGS[1]), tonumber(ARGS[2]), tonumber(ARGS[3]), tonumber(ARGS[4])
local taken = {}

local function due(key, until_when)
  return redis.call('ZRANGEBYSCORE', key, '-inf', until_when, 'LIMIT', 0, most - #taken)
end

local function take(id, cost)
  let_go(id, cost)
  taken[#taken + 1] = id
end

-- A stage that kills whoever works on it would otherwise be paid for without end.
local function end_attempt(id, kind, allowed, detail)
  if redis.call('HINCRBY', stage_key(id), failed_before(kind), 1) >= allowed then
    detail = allowed .. ' attempts in a row got no further; of the last one, ' .. detail
    redis.call('HSET', stage_key(id), 'cause', detail, 'finished', NOW)
    move(id, 'running', 'failed', NOW, detail)
  else
    move(id, 'running', 'ready', NOW, detail)
  end
  take(id, 'unknown') -- what it did at the service nobody knows yet
end

for _, id in ipairs(due(state_key('dispatched'), NOW)) do
  move(id, 'dispatched', 'ready', NOW, 'no worker claimed it in time')
  take(id, 'exact') -- it never began
end
for _, id in ipairs(due(state_key('running'), NOW)) do
  end_attempt(id, 'lost', losses, 'the lease ran out')
end
for _, id in ipairs(due(PREFIX .. 'progressed', NOW - quiet)) do
  local since = math.floor((NOW - redis.call('ZSCORE', PREFIX .. 'progressed', id)) / 1000)
  end_attempt(id, 'stalled', stalls, 'nothing was heard for ' .. since .. ' s, though its worker lives')
end
return taken
