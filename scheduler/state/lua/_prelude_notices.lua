-- Notices: what people learn while nobody watches, and how a sweep starts and ends. Runs before every verb.
-- A verb that changes a state writes its notices in the same step, so none is lost and none reports what did not
-- happen.
-- A sweep names the variables that hold its addresses (`notify`, a JSON list). The addresses themselves are never in
-- Redis.
-- The last notice of each kind is in the sweep's hash (`notified:started`), and for the fleet in `notified`: a repeated
-- verb sends nothing again.

local function remember_notice(key, field, occurrence)
  if read('HGET', key, field) == occurrence then return true end
  write('HSET', key, field, occurrence)
  return false
end

-- The name of a notice sorts it behind all earlier ones, also within one millisecond.
local function write_notice(address, kind, sweep, detail)
  local id = string.format('%d-%09d-%s', NOW, write('INCR', PREFIX .. 'sequence'), kind)
  write('HSET', PREFIX .. 'notice:' .. id, 'address', address, 'kind', kind, 'sweep', sweep, 'at', NOW,
    'detail', detail, 'tries', 0)
  write('ZADD', PREFIX .. 'notices', NOW, id)
end

local function read_addresses(sweep)
  return cjson.decode(read('HGET', sweep_key(sweep), 'notify') or '[]')
end

-- Notifies the addresses of a sweep: once for each kind, or once for each occurrence of a kind that can come again.
local function notify(sweep, kind, detail, occurrence)
  local list = read_addresses(sweep)
  if #list == 0 then return end
  if remember_notice(sweep_key(sweep), 'notified:' .. kind, tostring(occurrence or 'once')) then return end
  for _, address in ipairs(list) do write_notice(address, kind, sweep, detail or '') end
end

-- Notifies the addresses of the fleet and of every sweep under way, each address once.
local function notify_all(kind, detail, occurrence)
  if remember_notice(PREFIX .. 'notified', kind, tostring(occurrence)) then return end
  local seen = {}
  local function tell(address)
    if not seen[address] then write_notice(address, kind, '', detail or '') end
    seen[address] = true
  end
  for _, address in ipairs(read('SMEMBERS', PREFIX .. 'fleet_addresses')) do tell(address) end
  for _, sweep in ipairs(read('SUNION', PREFIX .. 'live', PREFIX .. 'held')) do
    for _, address in ipairs(read_addresses(sweep)) do tell(address) end
  end
end

-- Records the health of an address: since when it takes or refuses notices, the reason ('' if it takes them), and how
-- many notices were given up meanwhile.
local function note_health(address, reason, given_up)
  local known = cjson.decode(read('HGET', PREFIX .. 'webhooks', address) or '{}')
  local same = known.since and (known.reason == '') == (reason == '')
  write('HSET', PREFIX .. 'webhooks', address, cjson.encode({
    since = same and known.since or NOW,
    reason = reason,
    given_up = (reason ~= '' and same and known.given_up or 0) + given_up,
  }))
end

-- A sweep's first running stage, and its end.

local function count_ended(sweep)
  local counts = read('HMGET', sweep_key(sweep) .. ':counts', 'succeeded', 'failed', 'cancelled', 'skipped')
  local count = 0
  for _, each in ipairs(counts) do count = count + to_number(each) end
  return count
end

-- `started` and what had ended by then are the base of a sweep's pace. A pause starts both again.
local function begin_sweep(id)
  local sweep = read_stage(id, 'payer')
  if write('HSETNX', sweep_key(sweep), 'started', NOW) == 0 then return end
  write('HSET', sweep_key(sweep), 'ended_before', count_ended(sweep))
  notify(sweep, 'started', 'with ' .. read_stage(id, 'label'))
end

-- Counts a stage in the state that it has now. The score of a stage is its position and, in sixteenths, the state in
-- which its sweep has counted it.
local COUNTED = {'waiting', 'ready', 'dispatched', 'running', 'succeeded', 'failed', 'cancelled', 'skipped'}
local function count_stage(sweep, id, score, state)
  local base, position = sweep_key(sweep), math.floor(score)
  local seen = COUNTED[(score - position) * 16]
  if seen == state then return end
  if seen then add(base .. ':counts', seen, -1) end
  add(base .. ':counts', state, 1)
  for code, name in ipairs(COUNTED) do
    if name == state then write('ZADD', base .. ':stages', position + code / 16, id) end
  end
  if state == 'failed' and wants_stages(sweep) then
    notify(sweep, 'failure', read_stage(id, 'label') .. ': ' .. (read_stage(id, 'cause') or ''))
  end
end

-- Finishes a sweep when all its stages have ended and no walk through them is under way. One with `until` is due for its
-- next round instead, until its rounds have stopped.
local function close_if_done(sweep)
  local key = sweep_key(sweep)
  local row = read('HMGET', key, 'state', 'walks', 'walked', 'until', 'stopped')
  if row[1] ~= 'active' or to_number(row[2]) > to_number(row[3]) then return end
  if count_ended(sweep) < read('ZCARD', key .. ':stages') then return end
  if row[4] and not row[5] then
    write('ZADD', PREFIX .. 'rounds_due', NOW, sweep)
    return
  end
  move_sweep(sweep, 'active', 'finished')
  notify(sweep, 'finished')
end
