-- Stages and sweeps: their keys and their states. Runs before every verb.
-- ARGV[1] is the prefix of all keys. ARGV[2] is the time in milliseconds, or '' for the server's own clock; tests pass
-- their own. The verb's arguments follow from ARGV[3] on.
-- LAYOUT, MOVES, SWEEP_MOVES and BREAKER_MOVES come before this file; scheduler/state/scripts.py writes them.

local PREFIX = ARGV[1]
local ARGS = {unpack(ARGV, 3)}

local function read_clock()
  if ARGV[2] ~= '' then return tonumber(ARGV[2]) end
  local t = read('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local NOW = read_clock()

-- Every start of a server has another run id. To ask for it takes longer than all else that a verb reads.
local run
local function read_run()
  run = run or string.match(read('INFO', 'server'), 'run_id:(%x+)')
  return run
end

local function count_days(time) return math.floor(time / 86400000) end -- UTC days since 1970
local TODAY = count_days(NOW)

local function stage_key(id) return PREFIX .. 'stage:' .. id end
local function sweep_key(name) return PREFIX .. 'sweep:' .. name end
local function state_key(state) return PREFIX .. 'state:' .. state end
local function to_number(text) return tonumber(text) or 0 end

-- Is a move in the text of all moves? The moves of stages, sweeps and breakers are such texts.
local function is_move(moves, from, to) return string.find(moves, ' ' .. from .. '>' .. to .. ' ', 1, true) end

local function read_stage(id, field) return read('HGET', stage_key(id), field) end

local function is_live(sweep)
  return read('SISMEMBER', PREFIX .. 'live', sweep) == 1
end

-- Does this sweep want its stages, now or when it is resumed?
local function wants_stages(sweep)
  return is_live(sweep) or read('SISMEMBER', PREFIX .. 'held', sweep) == 1
end

-- Does a sweep want this stage and pay now?
local function is_payable(id)
  return #read('SINTER', stage_key(id) .. ':subscribers', PREFIX .. 'live') > 0
end

-- Does a sweep want this stage, now or when it is resumed?
local function is_wanted(id)
  return is_payable(id) or #read('SINTER', stage_key(id) .. ':subscribers', PREFIX .. 'held') > 0
end

local function read_parents(id)
  local list = {}
  for parent in string.gmatch(read_stage(id, 'parents') or '', '%S+') do list[#list + 1] = parent end
  return list
end

-- Marks a stage for the tick, which spreads the change to its sweeps and its children in this order.
local function mark_changed(id)
  write('ZADD', PREFIX .. 'changed', write('INCR', PREFIX .. 'sequence'), id)
end

-- Makes the tick walk through all stages of a sweep; `how` is 'reconsider', 'reopen' or 'reopen_failed'. Each call
-- starts a new walk, because a walk under way may have passed the stages that matter now.
local function start_walk(sweep, how)
  local walk = add(sweep_key(sweep), 'walks', 1)
  write('ZADD', PREFIX .. 'walks', 0, sweep .. '|' .. how .. '|' .. walk)
end

-- Puts a sweep where its state and its window want it: in `live` (it pays), in `held` (it only wants), or in neither.
local function sync_sweep(sweep)
  local row = read('HMGET', sweep_key(sweep), 'state', 'outside')
  local pays = row[1] == 'active' and not row[2]
  local wants = row[1] == 'paused' or (row[1] == 'active' and row[2])
  write(pays and 'SADD' or 'SREM', PREFIX .. 'live', sweep)
  write(wants and 'SADD' or 'SREM', PREFIX .. 'held', sweep)
end

-- A sweep with a window or a deadline pays for nothing until the next tick has looked at it.
local function begin_window(sweep)
  local row = read('HMGET', sweep_key(sweep), 'window', 'deadline')
  if (row[1] or '') == '' and (row[2] or '') == '' then
    write('HDEL', sweep_key(sweep), 'outside')
    return
  end
  write('HSETNX', sweep_key(sweep), 'outside', NOW)
  write('ZADD', PREFIX .. 'windows', NOW, sweep)
end

-- The only place where the state of a sweep is written: its hash and its membership in live and held change together.
-- Answers whether the sweep was in `from`.
local function move_sweep(sweep, from, to)
  if not is_move(SWEEP_MOVES, from, to) then
    error('illegal move of sweep ' .. sweep .. ': ' .. from .. ' to ' .. to)
  end
  if read('HGET', sweep_key(sweep), 'state') ~= from then return false end
  write('HSET', sweep_key(sweep), 'state', to, 'since', NOW)
  sync_sweep(sweep)
  return true
end

-- Answers the events of a stage with one line more, without the oldest ones. The words of a line: time, state before
-- and after ('' for a note; else their first two letters), attempt, worker, detail.
local LONGEST_LOG, SHORTENED_LOG = 16000, 12000
local function add_event(log, attempt, worker, from, to, detail)
  local words = {NOW, string.sub(from, 1, 2), string.sub(to, 1, 2), attempt or 0, worker or '', (string.gsub(detail or '', '%s+', ' '))}
  log = (log or '') .. table.concat(words, '|') .. '\n'
  if #log > LONGEST_LOG then log = string.match(string.sub(log, -SHORTENED_LOG), '\n(.*)$') or '' end
  return log
end

-- Writes an event that no move of the stage shows.
local function log_event(id, detail)
  local row = read('HMGET', stage_key(id), 'attempt', 'worker', 'events')
  write('HSET', stage_key(id), 'events', add_event(row[3], row[1], row[2], '', '', detail))
end

-- The only place where the state of a stage is written: its hash, the index of its state and its event change together.
-- score: the deadline in `dispatched` and `running`, else the time. Answers whether the stage was in `from`.
local function move(id, from, to, score, detail)
  if not is_move(MOVES, from, to) then
    error('illegal move of ' .. id .. ': ' .. from .. ' to ' .. to)
  end
  local key = stage_key(id)
  local row = read('HMGET', key, 'state', 'attempt', 'worker', 'events')
  if row[1] ~= from then return false end
  write('HSET', key, 'state', to, 'since', NOW, 'events', add_event(row[4], row[2], row[3], from, to, detail))
  write('ZREM', state_key(from), id)
  write('ZADD', state_key(to), score or NOW, id)
  mark_changed(id)
  return true
end
