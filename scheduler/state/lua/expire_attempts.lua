-- Takes back stages whose claim or lease ran out, and stages whose attempt makes no progress although its worker lives.
-- A stage that lost or stalled too many attempts in a row fails.
-- Arguments: how many at most, milliseconds without progress, how many attempts in a row may be lost and how many may
-- stall, after how many lost attempts a stage is a suspect, and one stage to look at (all if missing).
-- Answers the stages.
local most, quiet, losses, stalls, suspicious = tonumber(ARGS[1]), tonumber(ARGS[2]), tonumber(ARGS[3]),
  tonumber(ARGS[4]), tonumber(ARGS[5])
local taken, only = {}, ARGS[6]

local function due(key, until_when)
  local score = only and tonumber(read('ZSCORE', key, only) or nil)
  if only then return score and (until_when == '+inf' or score <= until_when) and {only} or {} end
  return read('ZRANGEBYSCORE', key, '-inf', until_when, 'LIMIT', 0, most - #taken)
end

-- The suspect that ran alone killed its worker again, so the other suspects are cleared.
local function blame(id)
  write('SREM', PREFIX .. 'suspects', id)
  for _, other in ipairs(read('SMEMBERS', PREFIX .. 'suspects')) do
    write('HDEL', stage_key(other), failure_field('lost'))
  end
  write('DEL', PREFIX .. 'suspects')
end

-- Without a limit, a stage that kills its workers would be paid for without end.
local function end_attempt(id, kind, allowed, detail)
  add(PREFIX .. 'losses', kind, 1)
  if kind == 'lost' then add(PREFIX .. 'losses', 'in_a_row', 1) end
  local times = add(stage_key(id), failure_field(kind), 1)
  if times >= allowed then
    detail = allowed .. ' attempts in a row made no progress; the last one: ' .. detail
    write('HSET', stage_key(id), 'cause', detail)
    move(id, 'running', 'failed', NOW, detail)
    if kind == 'lost' then blame(id) end
  else
    if kind == 'lost' and times >= suspicious then
      write('SADD', PREFIX .. 'suspects', id)
      detail = detail .. ', ' .. times .. ' times in a row: such stages run one at a time'
    end
    write('HSET', stage_key(id), 'cause', detail)
    move(id, 'running', 'ready', NOW, detail)
  end
  release(id, 'unknown') -- nobody knows yet what it did at the service
  taken[#taken + 1] = id
end

local closed = are_books_closed() -- then no stage is claimed, and its claim may be among what was lost
for _, id in ipairs(due(state_key('dispatched'), closed and '+inf' or NOW)) do
  move(id, 'dispatched', 'ready', NOW, closed and 'its claim may be lost' or 'no worker claimed it in time')
  if closed then release(id, 'unknown') else withdraw_dispatch(id) end
  taken[#taken + 1] = id
end
for _, id in ipairs(due(state_key('running'), NOW)) do
  end_attempt(id, 'lost', losses, 'the lease ran out')
end
for _, id in ipairs(due(PREFIX .. 'progressed', NOW - quiet)) do
  local since = math.floor((NOW - read('ZSCORE', PREFIX .. 'progressed', id)) / 1000)
  end_attempt(id, 'stalled', stalls, 'no progress for ' .. since .. ' s although its worker lives')
end
return taken
