-- Stops looking for what an attempt cost, because the service does not tell. Its unreconciled amount stays booked.
-- Arguments: the attempt (stage|number).
-- Answers 1, or 0 if the attempt is not unreconciled.
local attempt = ARGS[1]
local key = PREFIX .. 'unreconciled:' .. attempt
local row = read('HMGET', key, 'stage', 'unreconciled', 'in_doubt')
if not row[1] then return 0 end
if row[3] then clear_doubt(to_number(row[2])) end
write('DEL', key)
write('ZREM', PREFIX .. 'unreconciled', attempt)
return 1
