-- What a service allows: slots for our open clients, and a breaker for when it is down. Runs before every verb.

local function slots_key(pool) return PREFIX .. 'slots:' .. pool end
local function signals_key(pool) return PREFIX .. 'signals:' .. pool end
local function find_pool(lane) return string.match(lane, '^[^/]+/[^/]+') end
local function find_model(lane) return (string.gsub(string.match(lane, '^[^/]+/[^/]+/(.*)$') or '', '~', ':')) end

-- A slot is a lease of its own, under the name of the attempt that opened the client. It outlives that attempt until
-- the client is closed or its worker has been silent for as long as a lease.
local function take_slot(lane, name, till)
  write('ZREMRANGEBYSCORE', slots_key(lane), '-inf', NOW) -- read_service clears those of a pool
  write('ZADD', slots_key(find_pool(lane)), till, name)
  write('ZADD', slots_key(lane), till, name)
end

local function free_slot(lane, name)
  write('ZREM', slots_key(find_pool(lane)), name)
  write('ZREM', slots_key(lane), name)
  write('HDEL', signals_key(find_pool(lane)), name)
end

local function is_full(pool)
  local limit = read('HGET', PREFIX .. 'limits', pool)
  return limit and read('ZCOUNT', slots_key(pool), '(' .. NOW, '+inf') >= tonumber(limit)
end

-- Answers why no new client may be opened for this stage, or nil.
local function check_room(id)
  local lane = read_stage(id, 'lane')
  return (is_full(find_pool(lane)) or is_full(lane)) and 'capacity' or nil
end

local function breaker_key(service) return PREFIX .. 'breaker:' .. service end
local function read_breaker(service) return read('HGET', breaker_key(service), 'state') or 'closed' end

-- Sets the model and price of the next canary: the model that was opened last, because the service serves it; before
-- that, the first one that was requested.
local function set_canary_model(id)
  write('HSET', breaker_key(read_stage(id, 'service')), 'model', find_model(read_stage(id, 'lane')),
    'rates', read_stage(id, 'rates'))
end

-- The notice of each move. A suspicion that proves wrong is not worth a notice.
local NOTICE_OF_MOVE = {open = 'breaker_open', closed = 'breaker_closed', stopped = 'account'}

-- The only place where the state of a breaker is written. Answers whether it was in `from`.
local function move_breaker(service, from, to, cause)
  if not is_move(BREAKER_MOVES, from, to) then
    error('illegal move of breaker ' .. service .. ': ' .. from .. ' to ' .. to)
  end
  if read_breaker(service) ~= from then return false end
  write('HSET', breaker_key(service), 'state', to, 'since', NOW, 'cause', cause)
  if from ~= 'suspect' then write('HSET', breaker_key(service), 'next', NOW) end
  write('HDEL', breaker_key(service), 'canary', 'canary_until', 'fails')
  write('XADD', PREFIX .. 'events', 'MAXLEN', '~', 1000, '*', 'at', NOW, 'from', from, 'to', to, 'detail', service .. ': ' .. cause)
  if NOTICE_OF_MOVE[to] and not (from == 'suspect' and to == 'closed') then
    notify_all(NOTICE_OF_MOVE[to], service .. ': ' .. cause, service .. '|' .. NOW)
  end
  return true
end

local NOTE_STEP, NOTE_PLACES = 300000, 288

-- Notes an entry of `wide` characters in a series with a place for each five minutes of the last day. `merge` gets the
-- entry that the place has, or '', and answers the new one. Places in which nobody looked are dots.
local function note_place(key, wide, merge)
  local last, series = string.match(read('GET', key) or '', '^(%d+):(.*)$')
  local place, known = math.floor(NOW / NOTE_STEP), ''
  if not last then last, series = place - 1, '' end
  last = tonumber(last)
  if place <= last then
    place, known = last, string.sub(series, -wide)
    series = string.sub(series, 1, -wide - 1)
  else
    series = series .. string.rep(string.rep('.', wide), math.min(place - last - 1, NOTE_PLACES))
  end
  write('SET', key, string.format('%d:', place) .. string.sub(series .. merge(known), -NOTE_PLACES * wide))
end
