-- Set behind `_prelude.lua`, before every verb.
-- Notices: what people are told while nobody watches. Whatever changes a state writes them into the outbox in the same
-- step, so that none is lost and none tells of what did not happen. A sweep names the variables that hold its addresses
-- (`notify`, a JSON list); the addresses themselves are never in here. What was told last of each kind stands in the
-- sweep's hash (`told:started`), and of the fleet in `told`: a verb that comes again tells nothing again.

local function remember_notice(key, field, occurrence)
  if read('HGET', key, field) == occurrence then return true end
  write('HSET', key, field, occurrence)
  return false
end

-- Its name puts it behind all that were written before, in the same millisecond too.
local function post(address, kind, sweep, detail)
  local id = string.format('%d-%09d-%s', NOW, write('INCR', PREFIX .. 'sequence'), kind)
  write('HSET', PREFIX .. 'notice:' .. id, 'address', address, 'kind', kind, 'sweep', sweep, 'at', NOW,
    'detail', detail, 'tries', 0)
  write('ZADD', PREFIX .. 'notices', NOW, id)
end

local function read_addresses(sweep)
  return cjson.decode(read('HGET', sweep_key(sweep), 'notify') or '[]')
end

-- Tells those who asked to be told of a sweep. Once for each kind; of a kind that comes again, once for each occurrence.
local function notify(sweep, kind, detail, occurrence)
  local list = read_addresses(sweep)
  if #list == 0 then return end
  if remember_notice(sweep_key(sweep), 'notified:' .. kind, tostring(occurrence or 'once')) then return end
  for _, address in ipairs(list) do post(address, kind, sweep, detail or '') end
end

-- Tells everybody who has something under way, and whoever looks after the fleet, of what concerns all of them. Each
-- address once, however many sweeps name it.
local function notify_all(kind, detail, occurrence)
  if remember_notice(PREFIX .. 'notified', kind, tostring(occurrence)) then return end
  local seen = {}
  local function tell(address)
    if not seen[address] then post(address, kind, '', detail or '') end
    seen[address] = true
  end
  for _, address in ipairs(read('SMEMBERS', PREFIX .. 'fleet_addresses')) do tell(address) end
  for _, sweep in ipairs(read('SUNION', PREFIX .. 'live', PREFIX .. 'held')) do
    for _, address in ipairs(read_addresses(sweep)) do tell(address) end
  end
end

-- How an address does: since when it takes what it is sent, or does not, and why not ('' if it does); and how many
-- notices for it were given up meanwhile.
local function note_health(address, reason, given_up)
  local known = cjson.decode(read('HGET', PREFIX .. 'webhooks', address) or '{}')
  local same = known.since and (known.reason == '') == (reason == '')
  write('HSET', PREFIX .. 'webhooks', address, cjson.encode({
    since = same and known.since or NOW,
    reason = reason,
    given_up = (reason ~= '' and same and known.given_up or 0) + given_up,
  }))
end

-- The story of a sweep: its first stage that runs, and its end.

local function count_ended(sweep)
  local counts = read('HMGET', sweep_key(sweep) .. ':counts', 'succeeded', 'failed', 'cancelled', 'skipped')
  local count = 0
  for _, each in ipairs(counts) do count = count + to_number(each) end
  return count
end

-- `started` and what had ended by then are what the pace of a sweep is reckoned from; a pause begins it anew.
local function begin_sweep(id)
  local sweep = read_stage(id, 'payer')
  if write('HSETNX', sweep_key(sweep), 'started', NOW) == 0 then return end
  write('HSET', sweep_key(sweep), 'ended_before', count_ended(sweep))
  notify(sweep, 'started', 'with ' .. read_stage(id, 'label'))
end

-- A sweep is finished when all its stages have ended and nobody walks through them; then it keeps none of them alive.
local function close_if_done(sweep)
  local key = sweep_key(sweep)
  local row = read('HMGET', key, 'state', 'walks', 'walked')
  if row[1] ~= 'active' or to_number(row[2]) > to_number(row[3]) then return end
  if count_ended(sweep) < read('ZCARD', key .. ':stages') then return end
  move_sweep(sweep, 'active', 'finished')
  notify(sweep, 'finished')
end
