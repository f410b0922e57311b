-- Books an attempt that the service knows and the books do not, because its dispatch was lost: as unreconciled, with
-- what its stage may cost, with all that may have continued on its client. No later attempt gets its number.
-- Arguments: stage, attempt, the sweep that it said it was for, when its session began (milliseconds).
-- Answers 'booked', 'known', or 'stranger' if there is no such stage.
local id, number, sweep, began = ARGS[1], tonumber(ARGS[2]), ARGS[3], tonumber(ARGS[4])
local key, attempt = stage_key(id), id .. '|' .. ARGS[2]
local row = read('HMGET', key, 'attempt', 'rates', 'lane')
if not row[1] then return 'stranger' end
if number <= to_number(row[1]) or read('EXISTS', PREFIX .. 'unreconciled:' .. attempt) == 1 then return 'known' end
if read('EXISTS', sweep_key(sweep)) == 0 then sweep = read_stage(id, 'payer') or read('SMEMBERS', key .. ':subscribers')[1] end
if not sweep then return 'stranger' end
write('HSET', key, 'attempt', number)
open_reconciliation(id, attempt, {payer = sweep, unreconciled = estimate_remaining(id), rates = row[2],
  model = find_model(row[3]), began = began, may_have_continued = true})
return 'booked'
