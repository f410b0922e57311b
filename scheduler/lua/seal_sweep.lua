-- Makes a sweep active once all its stages are written. Argument: name. Answers 1 if it was opening.
local name = ARGS[1]
if redis.call('HGET', sweep_key(name), 'state') ~= 'opening' then return 0 end
redis.call('HSET', sweep_key(name), 'state', 'active', 'since', NOW)
redis.call('SADD', PREFIX .. 'live', name)
restage(name, 'reconsider')
return 1
