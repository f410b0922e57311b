-- Starts nothing new at a service until a canary has found out whether it is down.
-- Arguments: service, cause.
-- Answers 1 if its breaker was closed.
return read_breaker(ARGS[1]) == 'closed' and move_breaker(ARGS[1], 'closed', 'suspect', ARGS[2]) and 1 or 0
