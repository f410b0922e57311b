-- Writes one stage of a sweep that is opening, and subscribes the sweep to it. Repeating it changes nothing.
-- Arguments: sweep, position, stage, parents (separated by spaces), then field/value pairs of the stage's hash.
-- Answers 1 if the stage was already known to some sweep.
local sweep, position, id, parent_list = ARGS[1], ARGS[2], ARGS[3], ARGS[4]
local key = stage_key(id)
local known = redis.call('EXISTS', key)
if known == 0 then
  redis.call('HSET', key, 'state', 'waiting', 'since', NOW, 'created', NOW, 'attempt', 0, 'parents', parent_list,
    'sequence', redis.call('INCR', PREFIX .. 'sequence'), unpack(ARGS, 5))
  redis.call('ZADD', state_key('waiting'), NOW, id)
  for parent in string.gmatch(parent_list, '%S+') do
    redis.call('SADD', stage_key(parent) .. ':children', id)
  end
end
redis.call('ZADD', sweep_key(sweep) .. ':stages', position, id)
if redis.call('SADD', key .. ':subscribers', sweep) == 1 then
  local state = stage(id, 'state')
  if state == 'failed' or state == 'cancelled' or state == 'skipped' then
    move(id, state, 'waiting', NOW, 'wanted by ' .. sweep)
  end
  touch(id)
end
return known
