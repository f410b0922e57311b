-- Books what an attempt really cost, now that the service has said what it counted, in place of what was feared.
-- Arguments: the attempt (stage|number), tokens that the service counted in its session.
-- Answers 1, or 0 where there is no such doubt any more.
local attempt, counted = ARGS[1], tonumber(ARGS[2])
local key = PREFIX .. 'doubt:' .. attempt
local row = redis.call('HMGET', key, 'stage', 'payer', 'tokens', 'micro_usd', 'doubtful', 'rate', 'opened_tokens')
if not row[1] then return 0 end
local id, payer, doubtful = stage_key(row[1]), sweep_key(row[2]), number(row[5])
local tokens = math.max(0, counted - number(row[7])) -- the stage before it, on the same live client, is booked already
local more = tokens - number(row[3])
local dearer = math.ceil(tokens * number(row[6]) / 1000000) - number(row[4])
for _, book in ipairs({id, payer}) do
  redis.call('HINCRBY', book, 'tokens', more)
  redis.call('HINCRBY', book, 'doubtful', -doubtful)
end
redis.call('HINCRBY', id, 'micro_usd', dearer)
redis.call('HINCRBY', payer, 'spent', dearer)
redis.call('DEL', key)
redis.call('ZREM', PREFIX .. 'doubts', attempt)
return 1
