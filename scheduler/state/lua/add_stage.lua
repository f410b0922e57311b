-- Writes one stage of a sweep that is opening, and subscribes the sweep to it. Repeating the call changes nothing.
-- Arguments: sweep, position in the plan, stage, parents (separated by spaces), then fields and values of the stage's
-- hash.
-- Answers 1 if another sweep wanted the stage before.
-- A known stage stays as it is: seal_sweep starts or reopens it, because half a sweep must change nothing. Only a
-- missing price is added, because without a price no budget could admit the stage.
local sweep, id = ARGS[1], ARGS[3]
add_to_sweep(sweep, ARGS[2], id, ARGS[4], {unpack(ARGS, 5)})
return read('SCARD', stage_key(id) .. ':subscribers') > 1 and 1 or 0
