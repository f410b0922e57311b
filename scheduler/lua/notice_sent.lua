-- The address has taken it: it leaves the outbox. Arguments: notice. Answers 1, or 0 where it is not there any more.
local key = PREFIX .. 'notice:' .. ARGS[1]
local address = redis.call('HGET', key, 'address')
if not address then return 0 end
redis.call('DEL', key)
redis.call('ZREM', PREFIX .. 'notices', ARGS[1])
note_health(address, '', 0)
return 1
