-- Takes back stages whose lease or claim ran out, and those whose attempt gets no further although its worker lives.
-- Arguments: how many at most, milliseconds without progress, how many attempts in a row may be lost, and how many may
-- stall, before the stage itself fails for it, after how many lost ones it is suspected, and the one stage to look at, if
-- not all. Answers the stages.
local most, quiet, losses, stalls, suspicious = tonumber(ARGS[1]), tonumber(ARGS[2]), tonumber(ARGS[3]),
  tonumber(ARGS[4]), tonumber(ARGS[5])
local taken, only = {}, ARGS[6]

local function due(key, until_when)
  if only then return to_number(read('ZSCORE', key, only) or until_when + 1) <= until_when and {only} or {} end
  return read('ZRANGEBYSCORE', key, '-inf', until_when, 'LIMIT', 0, most - #taken)
end

-- The one that was tried alone, and died again and again: the others were there by chance.
local function blame(id)
  write('SREM', PREFIX .. 'suspects', id)
  for _, other in ipairs(read('SMEMBERS', PREFIX .. 'suspects')) do
    write('HDEL', stage_key(other), failure_field('lost'))
  end
  write('DEL', PREFIX .. 'suspects')
end

-- A stage that kills whoever works on it would otherwise be paid for without end.
local function end_attempt(id, kind, allowed, detail)
  local times = add(stage_key(id), failure_field(kind), 1)
  if times >= allowed then
    detail = allowed .. ' attempts in a row got no further; of the last one, ' .. detail
    write('HSET', stage_key(id), 'cause', detail)
    move(id, 'running', 'failed', NOW, detail)
    if kind == 'lost' then blame(id) end
  else
    if kind == 'lost' and times >= suspicious then
      write('SADD', PREFIX .. 'suspects', id)
      detail = detail .. ', ' .. times .. ' times in a row: stages like this are tried one at a time'
    end
    move(id, 'running', 'ready', NOW, detail)
  end
  release(id, 'unknown') -- what it did at the service nobody knows yet
  taken[#taken + 1] = id
end

for _, id in ipairs(due(state_key('dispatched'), NOW)) do
  move(id, 'dispatched', 'ready', NOW, 'no worker claimed it in time')
  withdraw_dispatch(id)
  taken[#taken + 1] = id
end
for _, id in ipairs(due(state_key('running'), NOW)) do
  end_attempt(id, 'lost', losses, 'the lease ran out')
end
for _, id in ipairs(due(PREFIX .. 'progressed', NOW - quiet)) do
  local since = math.floor((NOW - read('ZSCORE', PREFIX .. 'progressed', id)) / 1000)
  end_attempt(id, 'stalled', stalls, 'nothing was heard for ' .. since .. ' s, though its worker lives')
end
return taken
