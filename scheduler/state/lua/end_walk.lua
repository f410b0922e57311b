-- Ends a walk through the stages of a sweep, and finishes the sweep if nothing is left to do.
-- Arguments: sweep, the walk as `walks` names it.
-- Answers 1, or 0 if another scheduler ended it before.
if write('ZREM', PREFIX .. 'walks', ARGS[2]) == 0 then return 0 end
add(sweep_key(ARGS[1]), 'walked', 1)
close_if_done(ARGS[1])
return 1
