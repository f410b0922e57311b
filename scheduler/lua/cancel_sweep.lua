-- Ends a sweep's interest in all its stages. Argument: name. Answers its state before, or '' if there is none.
local name = ARGS[1]
local state = redis.call('HGET', sweep_key(name), 'state')
if not state then return '' end
if state == 'active' or state == 'paused' or state == 'opening' then
  redis.call('HSET', sweep_key(name), 'state', 'cancelled', 'since', NOW)
  redis.call('SREM', PREFIX .. 'live', name)
  redis.call('SREM', PREFIX .. 'paused', name)
  restage(name, 'reconsider')
  notify(name, 'cancelled')
end
return state
