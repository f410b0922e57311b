-- Has a canary find out whether a service is down; until then nothing new is started there.
-- Arguments: service, why it is suspected. Answers 1 if its breaker was closed.
return read_breaker(ARGS[1]) == 'closed' and move_breaker(ARGS[1], 'closed', 'suspect', ARGS[2]) and 1 or 0
