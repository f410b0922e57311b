-- Ends a walk through the stages of a sweep. Arguments: sweep, the walk as it stands in `restaged`.
if write('ZREM', PREFIX .. 'restaged', ARGS[2]) == 0 then return 0 end
add(sweep_key(ARGS[1]), 'walked', 1)
close_if_done(ARGS[1])
return 1
