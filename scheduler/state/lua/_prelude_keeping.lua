-- What may go: sweeps that have ended, and stages that nothing needs. Runs before every verb.

local ENDED = {succeeded = true, failed = true, cancelled = true, skipped = true}
local function is_open(id) return not ENDED[read_stage(id, 'state')] and is_wanted(id) end

-- Answers why a sweep cannot be archived or removed ('' if there is none), or nil.
local function check_ended(sweep)
  local row = read('HMGET', sweep_key(sweep), 'state', 'inflight', 'walks', 'walked', 'removing', 'archived')
  if not row[1] then return '' end
  if row[5] or row[6] then return end
  if row[1] ~= 'finished' and row[1] ~= 'cancelled' then return row[1] end
  if to_number(row[2]) > 0 then return 'running' end
  if to_number(row[3]) > to_number(row[4]) then return 'ending' end
end

local function may_drop(sweep)
  local row = read('HMGET', sweep_key(sweep), 'archived', 'removing')
  return row[1] or row[2]
end

-- Does a sweep that has not ended want this stage, or a stage that starts from it?
local function is_needed(id)
  for _, sweep in ipairs(read('SMEMBERS', stage_key(id) .. ':subscribers')) do
    local state = read('HGET', sweep_key(sweep), 'state')
    if state and state ~= 'finished' and state ~= 'cancelled' then return true end
  end
  for _, child in ipairs(read('SMEMBERS', stage_key(id) .. ':children')) do
    if is_open(child) then return true end
  end
  return false
end

-- Is the cost of one of its attempts still to be looked for?
local function has_unreconciled(id)
  for number = 1, to_number(read_stage(id, 'attempt')) do
    if read('ZSCORE', PREFIX .. 'unreconciled', id .. '|' .. number) then return true end
  end
  return false
end

-- Discards all checkpoints of a stage that has ended, but for those that have expired. Answers 1, or 0 if it has none.
local function discard_all(id)
  local list, since = read_checkpoints(id), to_number(read_stage(id, 'since'))
  if #list == 0 then return 0 end
  for _, checkpoint in ipairs(list) do
    local days = to_number(checkpoint.ttl_days)
    local expired = days > 0 and since + days * 86400000 <= NOW
    for _, path in ipairs(expired and {} or list_paths(checkpoint)) do
      discard({model = checkpoint.model, path = path})
    end
  end
  write('DEL', stage_key(id) .. ':checkpoints')
  write('ZREM', PREFIX .. 'expiring', id)
  return 1
end

-- Deletes a stage that has ended if no sweep wants it and no stage starts from it, and then parents for which the same
-- is true. Answers how many.
local function delete_if_unneeded(id)
  local key, state = stage_key(id), read_stage(id, 'state')
  if not ENDED[state] or read('SCARD', key .. ':subscribers') > 0 or read('SCARD', key .. ':children') > 0
    or has_unreconciled(id) then return 0 end
  local parents, count = read_parents(id), 1
  discard_all(id)
  write('ZREM', state_key(state), id)
  for _, index in ipairs({'changed', 'delayed', 'progressed'}) do write('ZREM', PREFIX .. index, id) end
  write('SREM', PREFIX .. 'suspects', id)
  write('DEL', key .. ':curve')
  write('DEL', key)
  for _, parent in ipairs(parents) do
    write('SREM', stage_key(parent) .. ':children', id)
    count = count + delete_if_unneeded(parent)
  end
  return count
end

-- Rounds of a sweep with `until`, and how stages come into a sweep and are opened again.

local PRICE = {rates = true, estimate = true, low_estimate = true}

-- Writes one stage and subscribes a sweep to it; `fields` are the names and values of its hash. A known stage stays as
-- it is. Only a missing price is added, because without a price no budget could admit the stage.
local function add_to_sweep(sweep, position, id, parent_list, fields)
  local key = stage_key(id)
  if read('EXISTS', key) == 0 then
    write('HSET', key, 'state', 'waiting', 'since', NOW, 'attempt', 0, unpack(fields))
    if parent_list ~= '' then write('HSET', key, 'parents', parent_list) end
    write('ZADD', state_key('waiting'), NOW, id)
    for parent in string.gmatch(parent_list, '%S+') do
      write('SADD', stage_key(parent) .. ':children', id)
    end
  elseif read_stage(id, 'rates') == '' then
    for i = 1, #fields, 2 do
      if PRICE[fields[i]] then write('HSET', key, fields[i], fields[i + 1]) end
    end
  end
  local stages = sweep_key(sweep) .. ':stages'
  if not read('ZSCORE', stages, id) then write('ZADD', stages, position, id) end
  write('SADD', key .. ':subscribers', sweep)
end

-- Moves a stage that ended without a result back to waiting; with 'reopen_failed' not one that was cancelled. Answers
-- whether it did.
local function reopen_stage(id, how)
  local state = read_stage(id, 'state')
  if state ~= 'failed' and state ~= 'skipped' and not (state == 'cancelled' and how == 'reopen') then return false end
  clear_failures(id)
  write('HSET', stage_key(id), 'not_before', 0)
  write('HDEL', stage_key(id), 'cause', 'lost', 'retrained', 'progress')
  -- It may have failed because a parent was retrained too often. A person asks for one more time.
  for _, parent in ipairs(read_parents(id)) do write('HDEL', stage_key(parent), 'retrained') end
  return move(id, state, 'waiting', NOW, 'reopened')
end

-- Answers why nothing may follow the rounds that a sweep has, or nil: its state, 'stale' (there are more rounds than
-- the caller knows of, or they have stopped) or 'busy' (something of it is not done).
local function check_round(sweep, known)
  local key = sweep_key(sweep)
  local row = read('HMGET', key, 'state', 'rounds', 'stopped', 'walks', 'walked', 'until')
  if row[1] ~= 'active' then
    if row[1] ~= 'paused' then write('ZREM', PREFIX .. 'rounds_due', sweep) end
    return row[1] or ''
  end
  if to_number(row[2]) ~= tonumber(known) or row[3] or not row[6] then return 'stale' end
  if to_number(row[4]) > to_number(row[5]) or count_ended(sweep) < read('ZCARD', key .. ':stages') then
    write('ZREM', PREFIX .. 'rounds_due', sweep) -- it is due again when all have ended
    return 'busy'
  end
end
