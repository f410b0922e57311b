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
