-- Removes a notice that its address took from the outbox.
-- Arguments: notice.
-- Answers 1, or 0 if it is not in the outbox any more.
local key = PREFIX .. 'notice:' .. ARGS[1]
local address = read('HGET', key, 'address')
if not address then return 0 end
write('DEL', key)
write('ZREM', PREFIX .. 'notices', ARGS[1])
note_health(address, '', 0)
return 1
