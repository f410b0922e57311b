-- Lets a stopped service be tried again: a canary decides.
-- Arguments: service.
-- Answers 1 if it was stopped.
if read_breaker(ARGS[1]) ~= 'stopped' then return 0 end
return move_breaker(ARGS[1], 'stopped', 'open', 'a person resumed it') and 1 or 0
