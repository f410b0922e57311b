-- Moves stages that ended without a result back to waiting.
-- Arguments: 'reopen', or 'reopen_failed' to leave cancelled stages as they are, then stages.
-- Answers how many it reopened.
local count = 0
for i = 2, #ARGS do count = count + (reopen_stage(ARGS[i], ARGS[1]) and 1 or 0) end
return count
