-- Attempts: their checkpoints, leases and failures. Runs before every verb.

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
  local wish = read_stage(id, 'keep')
  if wish == 'all' then return end
  most = math.max(most, to_number(wish))
  local key = stage_key(id) .. ':checkpoints'
  while read('LLEN', key) > most do discard_unshared(id, cjson.decode(write('LPOP', key))) end
end

-- Takes the lease of a stage. The fencing number contains the server's run id, so no number is given twice, not even
-- after a failover.
-- `call` names the call that took the lease: see find_lease.
local function take_lease(id, worker, call)
  local fence = string.sub(read_run(), 1, 8) .. '-' .. write('INCR', PREFIX .. 'fence')
  write('HSET', stage_key(id), 'fence', fence, 'worker', worker, 'call', call, 'started', NOW,
    'slot', id .. '|' .. read_stage(id, 'attempt'))
  write('ZADD', PREFIX .. 'progressed', NOW, id)
  return fence
end

-- Failures of each kind since the stage last made progress. A new checkpoint or a success starts the counts again.
local FAULTS = {'outage', 'broken', 'gone', 'unknown', 'lost', 'stalled'}
local function failure_field(kind) return 'failed:' .. kind end
local function clear_failures(id)
  local fields = {}
  for i, kind in ipairs(FAULTS) do fields[i] = failure_field(kind) end
  write('HDEL', stage_key(id), unpack(fields))
  write('SREM', PREFIX .. 'suspects', id)
  write('HDEL', PREFIX .. 'losses', 'in_a_row')
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
