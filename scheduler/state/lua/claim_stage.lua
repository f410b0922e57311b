-- Gives a worker the lease of a dispatched stage.
-- Arguments: stage, attempt, worker, lease in milliseconds, a name of this call.
-- Answers the fencing number, or '' if this attempt is not the dispatched one: repeated, late and stray messages end
-- here, and so do a message about a state of another layout and one that comes while the books are closed. If the service is down, the stage goes back to ready.
local id, attempt, worker, ttl, call = ARGS[1], ARGS[2], ARGS[3], tonumber(ARGS[4]), ARGS[5]
if read('GET', PREFIX .. 'layout') ~= LAYOUT then return '' end
local taken = find_lease(id, call)
if taken then return taken end
if are_books_closed() then return '' end
local row = read('HMGET', stage_key(id), 'state', 'attempt', 'service', 'lane')
if row[1] ~= 'dispatched' or row[2] ~= attempt then return '' end
local service = read_breaker(row[3])
if service == 'open' or service == 'stopped' then
  move(id, 'dispatched', 'ready', NOW, 'the service is down')
  withdraw_dispatch(id)
  return ''
end
local fence = take_lease(id, worker, call)
move(id, 'dispatched', 'running', NOW + ttl, '')
local lane, slot = row[4], id .. '|' .. attempt
take_slot(lane, slot, NOW + ttl)
write('HSET', signals_key(find_pool(lane)), slot, 'opening|' .. NOW)
begin_sweep(id)
return fence
