-- Set behind `_prelude.lua` and `_prelude_notices.lua`, before every verb.
-- Money, in millionths of a dollar. A sweep holds: spent, reserved, doubtful, and `limit` where it has a budget.
-- An attempt holds: payer, reserved (still held for it) and metered (booked as spent so far).

local function affordable(sweep, amount)
  local limit = redis.call('HGET', sweep_key(sweep), 'limit')
  if not limit or limit == '' then return true end
  local held = redis.call('HMGET', sweep_key(sweep), 'spent', 'reserved', 'doubtful')
  return number(held[1]) + number(held[2]) + number(held[3]) + amount <= tonumber(limit)
end

-- What an attempt may still cost: the estimate less what its checkpoint embodies already.
local function remaining(id)
  local newest = redis.call('LINDEX', stage_key(id) .. ':checkpoints', -1)
  local embodied = newest and number(cjson.decode(newest).micro_usd) or 0
  return math.max(0, number(stage(id, 'estimate')) - embodied)
end

local function hold(id, sweep, amount)
  redis.call('HSET', stage_key(id), 'payer', sweep, 'reserved', amount, 'metered', 0)
  redis.call('HINCRBY', sweep_key(sweep), 'reserved', amount)
  redis.call('HINCRBY', sweep_key(sweep), 'inflight', 1)
end

-- Books what the attempt has cost up to now (a total, never less than before); the reservation shrinks by as much.
local function meter(id, total, tokens)
  local key = stage_key(id)
  local delta = number(total) - number(stage(id, 'metered'))
  local more = number(tokens) - number(stage(id, 'metered_tokens'))
  if delta < 0 or more < 0 then return end
  local payer = sweep_key(stage(id, 'payer'))
  local freed = math.min(delta, number(stage(id, 'reserved')))
  redis.call('HSET', key, 'metered', number(total), 'metered_tokens', number(tokens))
  redis.call('HINCRBY', key, 'reserved', -freed)
  redis.call('HINCRBY', key, 'micro_usd', delta)
  redis.call('HINCRBY', key, 'tokens', more)
  redis.call('HINCRBY', payer, 'spent', delta)
  redis.call('HINCRBY', payer, 'tokens', more)
  redis.call('HINCRBY', payer, 'reserved', -freed)
end

-- Ends what an attempt holds, after the move that ends it (the event names the worker). What is left of its reservation
-- is given back. `cost` says how well its cost is known: 'exact'; 'at most' what was metered, for some of it may never
-- have been done; or 'unknown', so that what is left of the reservation stays booked as doubtful.
-- A doubt is kept until the service has said what it counted (see resolve_doubt).
local function let_go(id, cost)
  local key = stage_key(id)
  local held = redis.call('HMGET', key, 'payer', 'reserved', 'metered', 'metered_tokens', 'attempt', 'rate', 'opened_by',
    'opened_tokens', 'recipe')
  local payer, left = sweep_key(held[1]), number(held[2])
  redis.call('HINCRBY', payer, 'reserved', -left)
  redis.call('HINCRBY', payer, 'inflight', -1)
  if cost == 'unknown' or (cost == 'at most' and number(held[4]) > 0) then
    local doubtful = cost == 'unknown' and left or 0
    local attempt = id .. '|' .. held[5]
    redis.call('HINCRBY', payer, 'doubtful', doubtful)
    redis.call('HINCRBY', key, 'doubtful', doubtful)
    redis.call('HSET', PREFIX .. 'doubt:' .. attempt, 'stage', id, 'payer', held[1], 'micro_usd', number(held[3]),
      'tokens', number(held[4]), 'doubtful', doubtful, 'rate', number(held[6]), 'opened_by', held[7] or attempt,
      'opened_tokens', number(held[8]), 'model', cjson.decode(held[9] or '{}').model or '')
    redis.call('ZADD', PREFIX .. 'doubts', NOW, attempt)
  end
  redis.call('HSET', key, 'reserved', 0, 'metered', 0, 'metered_tokens', 0, 'worker', '')
  redis.call('HDEL', key, 'fence', 'call', 'slot', 'opened_by', 'opened_tokens')
  redis.call('ZREM', PREFIX .. 'progressed', id)
end

-- Ends a dispatch that no attempt followed.
local function recall(id)
  free_slot(stage(id, 'lane'), id .. '|' .. stage(id, 'attempt'))
  let_go(id, 'exact')
end

-- Admission's guard, the same for a dispatch and for an adoption. Answers nil, or why not.
local function refuse(id, sweep)
  if not is_live(sweep) then return 'the sweep is not active' end
  if breaker(stage(id, 'service')) ~= 'closed' then return 'breaker' end
  for _, parent in ipairs(parents(id)) do
    if stage(parent, 'state') ~= 'succeeded' then return 'parents' end
  end
  if must_wait_its_turn(id) then return 'suspect' end
  local slots = number(redis.call('HGET', sweep_key(sweep), 'slots'))
  if slots > 0 and number(redis.call('HGET', sweep_key(sweep), 'inflight')) >= slots then return 'slots' end
  if not affordable(sweep, remaining(id)) then return 'budget' end
  return nil
end
