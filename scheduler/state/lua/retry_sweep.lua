-- Opens a sweep again: what failed in it (and was skipped for that) is wanted once more, and with 'reopen' in place of
-- 'reopen_failed' what was called off as well. A deadline that has passed counts no more: a person says so.
-- Arguments: name, 'reopen' (if nothing is said) or 'reopen_failed'.
-- Answers its state before, or '' if there is none. The tick reopens the stages, page by page; of a sweep that was never
-- wholly written the rest must be submitted first.
local name, how = ARGS[1], ARGS[2] or 'reopen'
local key = sweep_key(name)
local row = read('HMGET', key, 'state', 'sealed', 'deadline')
local state, sealed = row[1], row[2]
if not state then return '' end
if to_number(row[3]) > 0 and to_number(row[3]) <= NOW then write('HSET', key, 'deadline', '') end
write('HDEL', key, 'notified:failure', 'notified:finished', 'notified:cancelled', 'started') -- its end is told anew
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
