-- Records what the service tells an attempt's client.
-- Arguments: stage, fence, the signal ('opening', 'active', 'queued': the creation waits for others to end; 'limited':
-- paused because too many clients are open; 'starved': paused for lack of capacity), milliseconds since it began.
-- Answers 1, or 0 without the lease.
local id, fence, signal, ago = ARGS[1], ARGS[2], ARGS[3], tonumber(ARGS[4])
if not holds_lease(id, fence) then return 0 end
local row = read('HMGET', stage_key(id), 'lane', 'slot')
local pool = find_pool(row[1])
local before = read('HGET', signals_key(pool), row[2])
if signal == 'active' and before and (string.find(before, '^opening') or string.find(before, '^queued')) then
  add(PREFIX .. 'capacity:' .. pool, 'openings', 1)
  set_canary_model(id)
end
write('HSET', signals_key(pool), row[2], signal .. '|' .. (NOW - ago))
return 1
