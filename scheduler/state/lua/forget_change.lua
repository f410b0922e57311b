-- Forgets that a stage changed, unless it changed again since.
-- Arguments: stage, order of the change.
-- Answers 1 if it forgot the change.
local changed = PREFIX .. 'changed'
if read('ZSCORE', changed, ARGS[1]) == ARGS[2] then return write('ZREM', changed, ARGS[1]) end
return 0
