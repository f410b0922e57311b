-- Opens a sweep under its name, once. Arguments: name, digest, then field/value pairs of the sweep's hash.
-- Answers: 'opened' (new, or an opening that never ended: write the stages), 'same' (already submitted), 'differs'.
local name, digest = ARGS[1], ARGS[2]
local key = sweep_key(name)
local known = read('HGET', key, 'digest')
if known and known ~= digest then return 'differs' end
if known then
  return read('HGET', key, 'state') == 'opening' and 'opened' or 'same'
end
if read('EXISTS', PREFIX .. 'layout') == 0 then write('SET', PREFIX .. 'layout', LAYOUT) end
write('HSET', key, 'digest', digest, 'state', 'opening', 'submitted', NOW, 'since', NOW, unpack(ARGS, 3))
write('ZADD', PREFIX .. 'sweeps', NOW, name)
return 'opened'
