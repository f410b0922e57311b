-- Opens a sweep again: it wants once more what failed or was skipped, and with 'reopen' what was cancelled. A deadline
-- that has passed counts no more.
-- Arguments: name, 'reopen' (also if missing) or 'reopen_failed'.
-- Answers the state before, 'archived' if its stages are gone, or '' if there is no such sweep. The tick reopens the stages page by page. A sweep that was
-- never completely written goes back to opening: it must be submitted again first.
local name, how = ARGS[1], ARGS[2] or 'reopen'
local key = sweep_key(name)
local row = read('HMGET', key, 'state', 'sealed', 'deadline')
local state, sealed = row[1], row[2]
if not state then return '' end
if may_drop(name) then return 'archived' end
if to_number(row[3]) > 0 and to_number(row[3]) <= NOW then write('HSET', key, 'deadline', '') end
-- The next end is notified again.
write('DEL', key .. ':answer') -- it will have another
write('HDEL', key, 'notified:failure', 'notified:finished', 'notified:cancelled', 'started', 'stopped')
if not sealed then
  if state ~= 'opening' then move_sweep(name, state, 'opening') end
  return state
end
if state ~= 'active' and state ~= 'paused' then
  begin_window(name)
  move_sweep(name, state, 'active')
end
start_walk(name, how)
return state
