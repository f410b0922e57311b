-- Takes or keeps the right to tick, or gives it up. Arguments: scheduler, milliseconds (0: gives up).
-- Answers 1 if it leads.
local key, ttl = PREFIX .. 'leader', tonumber(ARGS[2])
local leader = redis.call('GET', key)
if leader and leader ~= ARGS[1] then return 0 end
if ttl == 0 then
  redis.call('DEL', key)
  return 0
end
redis.call('SET', key, ARGS[1], 'PX', ttl)
return 1
