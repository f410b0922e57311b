-- Writes one stage of a sweep that is opening, and subscribes the sweep to it. Repeating it changes nothing.
-- Arguments: sweep, position, stage, parents (separated by spaces), then field/value pairs of the stage's hash.
-- Answers 1 if another sweep had asked for the stage before. A stage that is known stays as it is: what it takes to
-- start it, or to open it again, is the seal's to bring about, for half a sweep must change nothing. Only a price may be
-- found for one that had none, or no budget could ever take it.
local sweep, position, id, parent_list = ARGS[1], ARGS[2], ARGS[3], ARGS[4]
local key = stage_key(id)

local PRICE = {rates = true, estimate = true, low_estimate = true}
local function find_its_price()
  for i = 5, #ARGS, 2 do
    if PRICE[ARGS[i]] then write('HSET', key, ARGS[i], ARGS[i + 1]) end
  end
end

if read('EXISTS', key) == 0 then
  write('HSET', key, 'state', 'waiting', 'since', NOW, 'attempt', 0, 'parents', parent_list, unpack(ARGS, 5))
  write('ZADD', state_key('waiting'), NOW, id)
  for parent in string.gmatch(parent_list, '%S+') do
    write('SADD', stage_key(parent) .. ':children', id)
  end
elseif read_stage(id, 'rates') == '' then
  find_its_price()
end
write('ZADD', sweep_key(sweep) .. ':stages', position, id)
write('SADD', key .. ':subscribers', sweep)
return read('SCARD', key .. ':subscribers') > 1 and 1 or 0
