-- Sets what a sweep may spend, unless more is spent, reserved or unreconciled already.
-- Arguments: name, micro-dollars.
-- Answers the state ('' if there is no such sweep), 1 if done or 0, and what is spent, reserved and unreconciled.
local name, limit = ARGS[1], tonumber(ARGS[2])
local key = sweep_key(name)
local row = read('HMGET', key, 'state', 'spent', 'reserved', 'unreconciled', 'gate')
if not row[1] then return {'', 0, 0, 0, 0} end
local spent, reserved, unreconciled = to_number(row[2]), to_number(row[3]), to_number(row[4])
if spent + reserved + unreconciled > limit then return {row[1], 0, spent, reserved, unreconciled} end
write('HSET', key, 'limit', limit)
write('HDEL', key, 'budget:80', 'budget:reached')
if row[5] == 'budget' then write('HDEL', key, 'gate') end
notify_budget(name)
return {row[1], 1, spent, reserved, unreconciled}
