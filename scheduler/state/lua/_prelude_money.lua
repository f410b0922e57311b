-- Money in micro-dollars: budgets, reservations, metering and reconciliation. Runs before every verb.
-- A sweep's hash has spent, reserved and unreconciled, each in total and by kind of stage, and `limit` if it has a
-- budget.
-- A service has what is reserved there, and for each UTC day what was spent and is unreconciled.
-- An attempt has payer, reserved (still held for it) and metered (booked as spent so far).

local function day_key(service, day) return PREFIX .. 'day:' .. service .. ':' .. day end

-- Books amounts in every ledger that they belong to: 'spent', 'reserved' and 'unreconciled', and 'tokens', which only a
-- sweep has. `day`: the day of what is spent or unreconciled, if it is not today.
local BOOKED = {'spent', 'tokens', 'reserved', 'unreconciled'}
local function book(id, sweep, amounts, day)
  local of = read('HMGET', stage_key(id), 'kind', 'service')
  local words = {}
  for _, what in ipairs(BOOKED) do
    local amount = amounts[what] or 0
    if amount ~= 0 then
      local at = #words
      words[at + 1], words[at + 2], words[at + 3], words[at + 4] = what, amount, what .. ':' .. of[1], amount
      if what == 'reserved' then
        add(PREFIX .. 'reserved', of[2], amount)
      elseif what ~= 'tokens' then
        add(day_key(of[2], day or TODAY), what, amount)
      end
      if what ~= 'tokens' then charge_user(sweep, what, amount, day or TODAY) end
    end
  end
  if #words > 0 then add(sweep_key(sweep), unpack(words)) end
end

-- Computes the price of tokens by kind and rounds up once, at the end. Rates are micro-dollars per million tokens.
local function compute_price(usage, rates)
  local exact = 0
  for kind, tokens in pairs(usage) do exact = exact + tokens * to_number(rates[kind]) end
  return math.ceil(exact / 1000000)
end

-- Formats like format_usd in sweeps/formatting.py: enough digits to show that a small amount is not zero.
local function format_usd(micro)
  local digits = (micro >= 1000000 and 2) or ((micro >= 100 or micro == 0) and 4) or 6
  return string.format('$%.' .. digits .. 'f', micro / 1000000)
end

-- Notifies people about a sweep's budget: once at four fifths, and once when it was too small for a stage. A new budget
-- starts this again.
local function notify_budget(sweep, refused)
  local key = sweep_key(sweep)
  local row = read('HMGET', key, 'limit', 'spent', 'unreconciled')
  local limit = tonumber(row[1])
  if not limit then return end
  local function once(field, kind)
    if write('HSETNX', key, field, NOW) == 0 then return end
    notify(sweep, kind, format_usd(to_number(row[2])) .. ' of ' .. format_usd(limit) .. ' is spent', NOW)
  end
  if to_number(row[2]) + to_number(row[3]) >= 0.8 * limit then once('budget:80', 'budget80') end
  if refused then once('budget:reached', 'budget') end
end

local function is_affordable(sweep, amount)
  local row = read('HMGET', sweep_key(sweep), 'limit', 'spent', 'reserved', 'unreconciled')
  local limit = tonumber(row[1])
  return not limit or to_number(row[2]) + to_number(row[3]) + to_number(row[4]) + amount <= limit
end

local function read_day_limit(service) return tonumber(read('HGET', PREFIX .. 'limits', 'day:' .. service)) end

local function is_affordable_today(service, amount)
  local limit = read_day_limit(service)
  if not limit then return true end
  local row = read('HMGET', day_key(service, TODAY), 'spent', 'unreconciled')
  local reserved = read('HGET', PREFIX .. 'reserved', service)
  return to_number(row[1]) + to_number(row[2]) + to_number(reserved) + amount <= limit
end

-- Answers why this amount cannot be reserved for a stage, or nil. A stage without a price cannot run under any limit.
local function check_budget(id, sweep, amount)
  local row = read('HMGET', stage_key(id), 'service', 'rates')
  if row[2] == '' then
    local day, month = read_user_limits(sweep)
    local limited = tonumber(read('HGET', sweep_key(sweep), 'limit')) or read_day_limit(row[1]) or day or month
    return limited and 'no price' or nil
  end
  if not is_affordable(sweep, amount) then return 'budget' end
  if not is_affordable_today(row[1], amount) then return 'day budget' end
  return check_user_budget(sweep, amount)
end

-- Estimates what an attempt may still cost: the estimate less what its checkpoint has cost already, or the amount that
-- an earlier attempt lacked if that is more.
local function estimate_remaining(id)
  local newest = read('LINDEX', stage_key(id) .. ':checkpoints', -1)
  local embodied = newest and to_number(cjson.decode(newest).micro_usd) or 0
  return math.max(0, to_number(read_stage(id, 'estimate')) - embodied, to_number(read_stage(id, 'short')))
end

-- Estimates what may have been done in the session of a stage beyond the stage: what starts from it continues on its
-- live client.
local function estimate_continuations(id)
  local amount = 0
  for _, child in ipairs(read('SMEMBERS', stage_key(id) .. ':children')) do
    local state = read_stage(child, 'state')
    if state == 'ready' or state == 'waiting' or state == 'dispatched' then amount = amount + estimate_remaining(child) end
  end
  return amount
end

local function reserve(id, sweep, amount)
  write('HSET', stage_key(id), 'payer', sweep, 'reserved', amount, 'metered', 0)
  book(id, sweep, {reserved = amount})
  add(sweep_key(sweep), 'inflight', 1)
  write('HDEL', sweep_key(sweep), 'gate') -- its gate is open
end

-- Books what the attempt has cost up to now (a total that never falls) and reduces its reservation by the same amount.
local function meter(id, total, tokens)
  local key = stage_key(id)
  local row = read('HMGET', key, 'metered', 'metered_tokens', 'payer', 'reserved')
  local delta, more = to_number(total) - to_number(row[1]), to_number(tokens) - to_number(row[2])
  if delta < 0 or more < 0 then return end
  local payer, freed = row[3], math.min(delta, to_number(row[4]))
  add(key, 'metered', delta, 'metered_tokens', more, 'reserved', -freed, 'micro_usd', delta, 'tokens', more)
  book(id, payer, {spent = delta, tokens = more, reserved = -freed})
  if delta > 0 then notify_budget(payer) end
end

-- Keeps an attempt of unknown cost until the service tells what it counted (see reconcile_cost). If writes were lost, its
-- end may be among them, and what continued on its client: `may_have_continued`.
local function open_reconciliation(id, attempt, owed)
  local most = owed.unreconciled
  if owed.may_have_continued and are_books_closed() then
    most = most + estimate_continuations((string.match(owed.opened_by or attempt, '^(.*)|%d+$')))
  end
  book(id, owed.payer, {unreconciled = most})
  notify_budget(owed.payer)
  add(stage_key(id), 'unreconciled', most)
  local key = PREFIX .. 'unreconciled:' .. attempt
  write('HSET', key, 'stage', id, 'payer', owed.payer, 'micro_usd', owed.micro_usd or 0,
    'tokens', owed.tokens or 0, 'unreconciled', most, 'day', TODAY,
    'began_day', count_days(owed.began), 'rates', owed.rates or '',
    'opened_by', owed.opened_by or attempt, 'opened_usage', owed.opened_usage or '{}', 'model', owed.model)
  write('ZADD', PREFIX .. 'unreconciled', NOW, attempt)
  if are_books_closed() then
    write('HSET', key, 'in_doubt', 1)
    doubt(most, 1)
  end
end

-- Releases what an attempt holds, after the move that ends it (the event names the worker). The rest of its reservation
-- is freed.
-- `cost` says how well the cost is known: 'exact'; 'at most' what was metered, because a part may never have been done;
-- or 'unknown', so that the rest of the reservation is booked as unreconciled.
local function release(id, cost)
  local key = stage_key(id)
  local held = read('HMGET', key, 'payer', 'reserved', 'metered', 'metered_tokens', 'attempt', 'rates',
    'opened_by', 'opened_usage', 'lane', 'started')
  local payer, left = held[1], to_number(held[2])
  book(id, payer, {reserved = -left})
  add(sweep_key(payer), 'inflight', -1)
  if cost == 'unknown' or (cost == 'at most' and to_number(held[4]) > 0) then
    open_reconciliation(id, id .. '|' .. held[5], {payer = payer, micro_usd = to_number(held[3]),
      tokens = to_number(held[4]), unreconciled = cost == 'unknown' and left or 0, rates = held[6],
      may_have_continued = cost == 'unknown',
      opened_by = held[7], opened_usage = held[8], model = find_model(held[9] or ''), began = to_number(held[10])})
  end
  write('HDEL', key, 'reserved', 'metered', 'metered_tokens', 'worker', 'fence', 'call', 'slot', 'opened_by',
    'opened_usage', 'continues')
  write('ZREM', PREFIX .. 'progressed', id)
end

-- Ends a dispatch that no attempt followed.
local function withdraw_dispatch(id)
  free_slot(read_stage(id, 'lane'), id .. '|' .. read_stage(id, 'attempt'))
  release(id, 'exact')
end

-- Answers the first gate that is closed for a stage at the cost of a sweep, or nil. Dispatches and continuations share
-- it.
local function check_gates(id, sweep)
  if are_books_closed() then return 'books' end
  if not is_live(sweep) then return 'the sweep is not active' end
  if read_breaker(read_stage(id, 'service')) ~= 'closed' then return 'breaker' end
  for _, parent in ipairs(read_parents(id)) do
    if read_stage(parent, 'state') ~= 'succeeded' then return 'parents' end
  end
  if must_wait_for_suspect(id) then return 'suspect' end
  local slots = to_number(read('HGET', sweep_key(sweep), 'slots'))
  if slots > 0 and to_number(read('HGET', sweep_key(sweep), 'inflight')) >= slots then return 'slots' end
  return check_budget(id, sweep, estimate_remaining(id))
end
