-- Stops all spending at a service until a person acts, because it refuses the key or the account.
-- Arguments: service, cause.
-- Answers 1 if it was not stopped before.
local state = read_breaker(ARGS[1])
if state == 'stopped' then return 0 end
return move_breaker(ARGS[1], state, 'stopped', ARGS[2]) and 1 or 0
