-- Reads what is known of a service now, and clears slots that have run out.
-- Arguments: service, milliseconds that count as lately, its pools.
-- Answers JSON: {now, state, since, recovered, heard, troubled: attempts that met an error lately, pools: {pool:
-- {taken, opened: clients that were ever opened, and for each signal how many clients have it, since when the first one
-- has it, and the last}}}. Times are milliseconds, 0 if there is none.
local service, lately = ARGS[1], tonumber(ARGS[2])
local row = read('HMGET', breaker_key(service), 'state', 'since', 'recovered', 'heard')

local function pool_state(pool)
  -- Not while the books are closed: a slot says which client may have done something that they lack.
  if not are_books_closed() then write('ZREMRANGEBYSCORE', slots_key(pool), '-inf', NOW) end
  local found = {taken = read('ZCARD', slots_key(pool)),
    opened = to_number(read('HGET', PREFIX .. 'capacity:' .. pool, 'openings')), signals = {}, since = {}, last = {}}
  local rows = read('HGETALL', signals_key(pool))
  for i = 1, #rows, 2 do
    if read('ZSCORE', slots_key(pool), rows[i]) then
      local signal, since = string.match(rows[i + 1], '^(%a+)|(%d+)$')
      found.signals[signal] = (found.signals[signal] or 0) + 1
      found.since[signal] = math.min(found.since[signal] or NOW, tonumber(since))
      found.last[signal] = math.max(found.last[signal] or 0, tonumber(since))
    else
      write('HDEL', signals_key(pool), rows[i])
    end
  end
  return found
end

local pools = {}
for i = 3, #ARGS do pools[ARGS[i]] = pool_state(ARGS[i]) end
return cjson.encode({now = NOW, state = row[1] or 'closed', since = to_number(row[2]), recovered = to_number(row[3]),
  heard = to_number(row[4]), troubled = read('ZCOUNT', PREFIX .. 'trouble:' .. service, NOW - lately, '+inf'),
  pools = pools})
