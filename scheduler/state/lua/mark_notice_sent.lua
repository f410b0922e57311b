-- The address has taken it: it leaves the outbox. Arguments: notice. Answers 1, or 0 where it is not there any more.
local key = PREFIX .. 'notice:' .. ARGS[1]
local address = read('HGET', key, 'address')
if not address then return 0 end
write('DEL', key)
write('ZREM', PREFIX .. 'notices', ARGS[1])
note_health(address, '', 0)
return 1
