-- Puts an archive of a sweep that has ended beside it, from which it is read from now on. Its stages may then go.
-- Arguments: sweep, archive.
-- Answers 'archived', or why it cannot be.
local sweep, key = ARGS[1], sweep_key(ARGS[1])
local why = check_ended(sweep)
if why then return why end
write('SET', key .. ':archive', ARGS[2])
write('HSET', key, 'archived', NOW, 'total', read('ZCARD', key .. ':stages'))
return 'archived'
