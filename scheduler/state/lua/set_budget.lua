-- Sets what a sweep may spend. Arguments: name, micro-dollars. Answers its state ('' if there is none), 1 or 0, and what
-- is spent, reserved and doubtful: 0 where that is more already, and nothing is changed.
local name, limit = ARGS[1], tonumber(ARGS[2])
local key = sweep_key(name)
local row = read('HMGET', key, 'state', 'spent', 'reserved', 'doubtful', 'gate')
if not row[1] then return {'', 0, 0, 0, 0} end
local spent, reserved, doubtful = number(row[2]), number(row[3]), number(row[4])
if spent + reserved + doubtful > limit then return {row[1], 0, spent, reserved, doubtful} end
write('HSET', key, 'limit', limit)
write('HDEL', key, 'budget:80', 'budget:reached')
if row[5] == 'budget' then write('HDEL', key, 'gate') end
tell_budget(name)
return {row[1], 1, spent, reserved, doubtful}
