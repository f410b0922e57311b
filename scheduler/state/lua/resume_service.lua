-- Lets a service that was stopped be tried again: a canary decides. Argument: service. Answers 1 if it was stopped.
if read_breaker(ARGS[1]) ~= 'stopped' then return 0 end
return move_breaker(ARGS[1], 'stopped', 'open', 'a person says that it can be tried again') and 1 or 0
