-- Looks no more for what an attempt cost, for the service does not say it: what was feared stays booked.
-- Arguments: the attempt (stage|number). Answers 1, or 0 where there is no such doubt any more.
local attempt = ARGS[1]
local key = PREFIX .. 'unreconciled:' .. attempt
if read('EXISTS', key) == 0 then return 0 end
write('DEL', key)
write('ZREM', PREFIX .. 'unreconciled', attempt)
return 1
