-- Puts stages whose backoff is over back in the queues of those who want them, by way of the changes.
-- Argument: how many at most. Answers how many.
local due = redis.call('ZRANGEBYSCORE', PREFIX .. 'delayed', '-inf', NOW, 'LIMIT', 0, tonumber(ARGS[1]))
for _, id in ipairs(due) do
  redis.call('ZREM', PREFIX .. 'delayed', id)
  touch(id)
end
return #due
