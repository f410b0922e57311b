-- Writes one stage of a sweep that is opening, and subscribes the sweep to it. Repeating the call changes nothing.
-- Arguments: sweep, position in the plan, stage, parents (separated by spaces), then fields and values of the stage's
-- hash.
-- Answers 1 if another sweep wanted the stage before.
-- A known stage stays as it is: seal_sweep starts or reopens it, because half a sweep must change nothing. Only a
-- missing price is added, because without a price no budget could admit the stage.
local sweep, position, id, parent_list = ARGS[1], ARGS[2], ARGS[3], ARGS[4]
local key = stage_key(id)

local PRICE = {rates = true, estimate = true, low_estimate = true}
local function find_its_price()
  for i = 5, #ARGS, 2 do
    if PRICE[ARGS[i]] then write('HSET', key, ARGS[i], ARGS[i + 1]) end
  end
end

if read('EXISTS', key) == 0 then
  write('HSET', key, 'state', 'waiting', 'since', NOW, 'attempt', 0, unpack(ARGS, 5))
  if parent_list ~= '' then write('HSET', key, 'parents', parent_list) end
  write('ZADD', state_key('waiting'), NOW, id)
  for parent in string.gmatch(parent_list, '%S+') do
    write('SADD', stage_key(parent) .. ':children', id)
  end
elseif read_stage(id, 'rates') == '' then
  find_its_price()
end
local stages = sweep_key(sweep) .. ':stages'
if not read('ZSCORE', stages, id) then write('ZADD', stages, position, id) end
write('SADD', key .. ':subscribers', sweep)
return read('SCARD', key .. ':subscribers') > 1 and 1 or 0
