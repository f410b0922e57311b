-- Stages and sweeps: their states, their checkpoints and their leases. Runs before every verb.
-- ARGV[1] is the prefix of all keys. ARGV[2] is the time in milliseconds, or '' for the server's own clock; tests pass
-- their own. The verb's arguments follow from ARGV[3] on.
-- LAYOUT, MOVES, SWEEP_MOVES and BREAKER_MOVES stand in front of this file; scheduler/state/scripts.py writes them.

local PREFIX = ARGV[1]
local ARGS = {unpack(ARGV, 3)}

local function read_clock()
  if ARGV[2] ~= '' then return tonumber(ARGV[2]) end
  local t = read('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local NOW = read_clock()

local function stage_key(id) return PREFIX .. 'stage:' .. id end
local function sweep_key(name) return PREFIX .. 'sweep:' .. name end
local function state_key(state) return PREFIX .. 'state:' .. state end
local function to_number(text) return tonumber(text) or 0 end

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
  if not (SWEEP_MOVES[from] and SWEEP_MOVES[from][to]) then
    error('illegal move of sweep ' .. sweep .. ': ' .. from .. ' to ' .. to)
  end
  if read('HGET', sweep_key(sweep), 'state') ~= from then return false end
  write('HSET', sweep_key(sweep), 'state', to, 'since', NOW)
  sync_sweep(sweep)
  return true
end

-- Writes an event that no move of the stage shows.
local function log_event(id, detail)
  write('XADD', PREFIX .. 'events', 'MAXLEN', '~', 100000, '*', 'at', NOW, 'stage', id,
    'attempt', read_stage(id, 'attempt') or 0, 'worker', read_stage(id, 'worker') or '', 'detail', detail)
end

-- The only place where the state of a stage is written: its hash, the index of its state and the event change together.
-- score: the deadline in `dispatched` and `running`, else the time. Answers whether the stage was in `from`.
local function move(id, from, to, score, detail)
  if not (MOVES[from] and MOVES[from][to]) then
    error('illegal move of ' .. id .. ': ' .. from .. ' to ' .. to)
  end
  local key = stage_key(id)
  if read('HGET', key, 'state') ~= from then return false end
  write('HSET', key, 'state', to, 'since', NOW)
  write('ZREM', state_key(from), id)
  write('ZADD', state_key(to), score or NOW, id)
  write('XADD', PREFIX .. 'events', 'MAXLEN', '~', 100000, '*', 'at', NOW, 'stage', id, 'from', from,
    'to', to, 'attempt', read_stage(id, 'attempt') or 0, 'worker', read_stage(id, 'worker') or '',
    'detail', detail or '')
  mark_changed(id)
  return true
end

-- Checkpoints, newest last.

local function read_checkpoints(id)
  local list = {}
  for i, text in ipairs(read('LRANGE', stage_key(id) .. ':checkpoints', 0, -1)) do list[i] = cjson.decode(text) end
  return list
end

local function discard(checkpoint)
  write('ZADD', PREFIX .. 'discarded', NOW, checkpoint.model .. '|' .. checkpoint.path)
end

-- The paths that a checkpoint has at the service: its own, and that of the reference weights of its training.
local function list_paths(checkpoint) return {checkpoint.path, checkpoint.reference} end

-- The paths of all checkpoints of a stage, as a set.
local function list_known_paths(id)
  local known = {}
  for _, checkpoint in ipairs(read_checkpoints(id)) do
    for _, path in ipairs(list_paths(checkpoint)) do known[path] = true end
  end
  return known
end

-- Discards the paths of a checkpoint that left the list, except those that the remaining checkpoints share and the one
-- that is known to be gone.
local function discard_unshared(id, checkpoint, gone)
  local known = list_known_paths(id)
  for _, path in ipairs(list_paths(checkpoint)) do
    if not known[path] and path ~= gone then discard({model = checkpoint.model, path = path}) end
  end
end

-- Keeps the newest `most` checkpoints and discards older ones. The stage's own policy may keep more, or all.
local function keep_newest(id, most)
  local wish = cjson.decode(read_stage(id, 'execution') or '{}')
  wish = type(wish) == 'table' and wish.checkpoint and wish.checkpoint.keep
  if wish == 'all' then return end
  if type(wish) == 'number' then most = math.max(most, wish) end
  local key = stage_key(id) .. ':checkpoints'
  while read('LLEN', key) > most do discard_unshared(id, cjson.decode(write('LPOP', key))) end
end

-- Takes the lease of a stage. The fencing number contains the server's run id, so no number is given twice, not even
-- after a failover.
-- `call` names the call that took the lease: see find_lease.
local function take_lease(id, worker, call)
  local run = string.match(read('INFO', 'server'), 'run_id:(%x+)')
  local fence = string.sub(run, 1, 8) .. '-' .. write('INCR', PREFIX .. 'fence')
  write('HSET', stage_key(id), 'fence', fence, 'worker', worker, 'call', call, 'started', NOW,
    'slot', id .. '|' .. read_stage(id, 'attempt'))
  write('ZADD', PREFIX .. 'progressed', NOW, id)
  return fence
end

-- Failures of each kind since the stage last made progress. A new checkpoint or a success starts the counts again.
local FAULTS = {'outage', 'broken', 'gone', 'unknown', 'lost', 'stalled'}
local function failure_field(kind) return 'failed:' .. kind end
local function clear_failures(id)
  for _, kind in ipairs(FAULTS) do write('HDEL', stage_key(id), failure_field(kind)) end
  write('SREM', PREFIX .. 'suspects', id)
end

-- A worker that dies ends all its attempts, and nobody knows which of them killed it. Stages that were there too often
-- are suspects and run one at a time, so that the next death shows which. Answers whether another suspect runs.
local function must_wait_for_suspect(id)
  if read('SISMEMBER', PREFIX .. 'suspects', id) == 0 then return false end
  for _, other in ipairs(read('SMEMBERS', PREFIX .. 'suspects')) do
    local state = read_stage(other, 'state')
    if state == 'dispatched' or state == 'running' then return true end
  end
  return false
end

-- Finds the lease that the same call took before: a client that lost the answer sends the call again.
local function find_lease(id, call)
  local held = read('HMGET', stage_key(id), 'state', 'call', 'fence')
  return held[1] == 'running' and held[2] == call and held[3]
end

-- Does this fencing number still hold the stage? Every write of a worker checks it.
local function holds_lease(id, fence)
  local held = read('HMGET', stage_key(id), 'state', 'fence')
  if held[1] ~= 'running' or held[2] ~= fence then return false end
  return tonumber(read('ZSCORE', state_key('running'), id)) > NOW
end
