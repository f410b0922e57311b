-- Opens a sweep again: what failed in it, or was called off, is wanted once more. Argument: name.
-- Answers its state before, or '' if there is none. The tick reopens the stages, page by page.
local name = ARGS[1]
local state = redis.call('HGET', sweep_key(name), 'state')
if not state then return '' end
if state == 'finished' or state == 'cancelled' or state == 'active' then
  redis.call('HSET', sweep_key(name), 'state', 'active', 'since', NOW)
  redis.call('SADD', PREFIX .. 'live', name)
  restage(name, 'reopen')
end
return state
