-- Books what an attempt really cost, by the service's own count, in place of its unreconciled amount.
-- Arguments: the attempt (stage|number), tokens by kind that the service counted in its session, as JSON.
-- Answers 1, or 0 if the attempt is not unreconciled.
local attempt, counted = ARGS[1], cjson.decode(ARGS[2])
local key = PREFIX .. 'unreconciled:' .. attempt
local row = read('HMGET', key, 'stage', 'payer', 'tokens', 'micro_usd', 'unreconciled', 'rates', 'opened_usage',
  'day', 'began_day', 'in_doubt', 'opened_by')
if not row[1] then return 0 end
local id, payer, unreconciled, day = row[1], row[2], to_number(row[5]), row[8]
local before = cjson.decode(row[7])
local tokens = 0
for kind, count in pairs(counted) do -- the stage before it on the same live client is booked already
  counted[kind] = math.max(0, count - to_number(before[kind]))
  tokens = tokens + counted[kind]
end
local more = tokens - to_number(row[3])
local dearer = compute_price(counted, row[6] == '' and {} or cjson.decode(row[6])) - to_number(row[4])
write('HSET', stage_key(id), 'session', row[11], 'session_usage', ARGS[2])
add(stage_key(id), 'tokens', more, 'micro_usd', dearer, 'unreconciled', -unreconciled)
book(id, payer, {tokens = more})
-- An amount booked too high may belong to the day on which the attempt began: do not lower today's books for it.
book(id, payer, {spent = dearer}, dearer < 0 and row[9] or day)
book(id, payer, {unreconciled = -unreconciled}, day)
notify_budget(payer)
if row[10] then clear_doubt(unreconciled) end
write('DEL', key)
write('ZREM', PREFIX .. 'unreconciled', attempt)
return 1
