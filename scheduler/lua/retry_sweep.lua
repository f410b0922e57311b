-- Opens a sweep again: what failed in it, or was called off, is wanted once more. Argument: name.
-- Answers its state before, or '' if there is none. The tick reopens the stages, page by page; of a sweep that was never
-- wholly written the rest must be submitted first.
local name = ARGS[1]
local key = sweep_key(name)
local row = redis.call('HMGET', key, 'state', 'sealed')
local state, sealed = row[1], row[2]
if not state then return '' end
redis.call('HDEL', key, 'told:failure', 'told:finished', 'told:cancelled', 'started') -- its end is told anew
if not sealed then
  redis.call('HSET', key, 'state', 'opening', 'since', NOW)
elseif state == 'paused' then -- still paused, with more to do when it is resumed
  restage(name, 'reopen')
else
  redis.call('HSET', key, 'state', 'active', 'since', NOW)
  redis.call('SADD', PREFIX .. 'live', name)
  restage(name, 'reopen')
end
return state
