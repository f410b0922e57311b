-- Takes or keeps the right to tick. Arguments: scheduler, milliseconds. Answers 1 if it leads.
local key = PREFIX .. 'leader'
local leader = redis.call('GET', key)
if leader and leader ~= ARGS[1] then return 0 end
redis.call('SET', key, ARGS[1], 'PX', ARGS[2])
return 1
