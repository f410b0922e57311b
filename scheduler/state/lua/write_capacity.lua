-- Writes what the scheduler concluded about a pool, unless another scheduler wrote meanwhile.
-- Arguments: pool, the version that the conclusion was drawn from, the new limit, then fields and values.
-- Answers 1, or 0 if it came too late.
local pool, version, limit = ARGS[1], ARGS[2], ARGS[3]
local key = PREFIX .. 'capacity:' .. pool
if (read('HGET', key, 'version') or '0') ~= version then return 0 end
write('HSET', key, 'version', tonumber(version) + 1, unpack(ARGS, 4))
write('HSET', PREFIX .. 'limits', pool, limit)
return 1
