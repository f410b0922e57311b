-- Books what a session cost that belongs to nothing that the books know, on the day on which it began. No sweep pays.
-- Arguments: session, tokens, micro-dollars.
-- Answers 1, or 0 if that was done before.
local session, tokens, cost = ARGS[1], tonumber(ARGS[2]), tonumber(ARGS[3])
local text = read('HGET', PREFIX .. 'lost_sessions', session)
local row = text and cjson.decode(text)
if not row or row.tokens then return 0 end
row.tokens, row.micro_usd = tokens, cost
write('HSET', PREFIX .. 'lost_sessions', session, cjson.encode(row))
add(day_key(row.service, count_days(row.began)), 'spent', cost)
clear_doubt(0)
return 1
