-- Puts stages whose backoff is over back in the queues of those who want them, by way of the changes.
-- Argument: how many at most. Answers how many.
local due = read('ZRANGEBYSCORE', PREFIX .. 'delayed', '-inf', NOW, 'LIMIT', 0, tonumber(ARGS[1]))
for _, id in ipairs(due) do
  write('ZREM', PREFIX .. 'delayed', id)
  mark_changed(id)
end
return #due
