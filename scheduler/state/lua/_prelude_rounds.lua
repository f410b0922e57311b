-- Rounds of a sweep with `until`, and how stages come into a sweep and are opened again. Runs before every verb.

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
