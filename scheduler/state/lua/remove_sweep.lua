-- Begins to remove a sweep that has ended: from now on its name means nothing, and its stages may go.
-- Arguments: sweep.
-- Answers 'removing', '' if there is no such sweep, or why it cannot be removed.
local why = check_ended(ARGS[1])
if why then return why end
write('HSET', sweep_key(ARGS[1]), 'removing', NOW)
return 'removing'
