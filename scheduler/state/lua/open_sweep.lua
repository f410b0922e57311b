-- Opens a sweep under its name, once, and notes the layout of the state with the first sweep.
-- Arguments: name, digest, then fields and values of the sweep's hash.
-- Answers 'opened' (new, or an opening that was never completed: write the stages), 'same' (submitted before),
-- 'differs' (the name has another content) or 'removing' (what had the name is being removed).
local name, digest = ARGS[1], ARGS[2]
local key = sweep_key(name)
local known = read('HGET', key, 'digest')
if known and read('HGET', key, 'removing') then return 'removing' end
if known and known ~= digest then return 'differs' end
if known then
  return read('HGET', key, 'state') == 'opening' and 'opened' or 'same'
end
if read('EXISTS', PREFIX .. 'layout') == 0 then write('SET', PREFIX .. 'layout', LAYOUT) end
write('HSET', key, 'digest', digest, 'state', 'opening', 'submitted', NOW, 'since', NOW, unpack(ARGS, 3))
write('ZADD', PREFIX .. 'sweeps', NOW, name)
return 'opened'
