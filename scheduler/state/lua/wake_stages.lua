-- Puts stages whose backoff is over back into the queues of their sweeps.
-- Arguments: how many at most.
-- Answers how many.
local due = read('ZRANGEBYSCORE', PREFIX .. 'delayed', '-inf', NOW, 'LIMIT', 0, tonumber(ARGS[1]))
for _, id in ipairs(due) do
  write('ZREM', PREFIX .. 'delayed', id)
  mark_changed(id)
end
return #due
