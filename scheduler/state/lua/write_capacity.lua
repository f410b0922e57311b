-- Writes what has been concluded about a pool, unless somebody else has meanwhile. Arguments: pool, the version that the
-- conclusion is drawn from, the limit that follows, then field/value pairs. Answers 1, or 0 where it came too late.
local pool, version, limit = ARGS[1], ARGS[2], ARGS[3]
local key = PREFIX .. 'capacity:' .. pool
if (read('HGET', key, 'version') or '0') ~= version then return 0 end
write('HSET', key, 'version', tonumber(version) + 1, unpack(ARGS, 4))
write('HSET', PREFIX .. 'limits', pool, limit)
return 1
