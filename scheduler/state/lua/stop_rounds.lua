-- Ends the rounds of a sweep with `until` all of whose stages have ended, and with them the sweep.
-- Arguments: sweep, how many rounds were appended before, why no other follows (JSON).
-- Answers 'stopped', or why not: see check_round.
local sweep, key = ARGS[1], sweep_key(ARGS[1])
local why = check_round(sweep, ARGS[2])
if why then return why end
write('HSET', key, 'stopped', ARGS[3])
write('HDEL', key, 'rounds_wait')
write('ZREM', PREFIX .. 'rounds_due', sweep)
close_if_done(sweep)
return 'stopped'
