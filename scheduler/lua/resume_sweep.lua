-- Lets a paused sweep pay again. Argument: name. Answers its state before, or '' if there is none.
local name = ARGS[1]
local state = redis.call('HGET', sweep_key(name), 'state')
if not state then return '' end
if state == 'paused' then
  redis.call('HSET', sweep_key(name), 'state', 'active', 'since', NOW)
  stand(name)
  redis.call('HDEL', sweep_key(name), 'started') -- the pause does not count for its pace
  restage(name, 'reconsider')
end
return state
