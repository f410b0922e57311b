-- Lets a sweep stop elsewhere than it was to: earlier or later, or where its full grid ends. What it has stays, and a
-- finished sweep goes on.
-- Arguments: name, the spec with its new `until`, that `until` (JSON).
-- Answers 'changed', 'same', or 'archived' if its stages are gone.
local name, spec, goal = ARGS[1], ARGS[2], ARGS[3]
local key = sweep_key(name)
local row = read('HMGET', key, 'until', 'state')
if row[1] == goal then return 'same' end
if may_drop(name) then return 'archived' end
write('HSET', key, 'spec', spec, 'until', goal)
write('HDEL', key, 'stopped', 'rounds_wait')
if row[2] == 'finished' then
  write('DEL', key .. ':answer')
  write('HDEL', key, 'notified:finished', 'started')
  begin_window(name)
  move_sweep(name, 'finished', 'active')
end
if row[2] == 'finished' or row[2] == 'active' then start_walk(name, 'reconsider') end
return 'changed'
