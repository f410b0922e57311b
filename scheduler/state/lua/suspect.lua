-- Has a canary find out whether a service is down; until then nothing new is started there.
-- Arguments: service, why it is suspected. Answers 1 if its breaker was closed.
return breaker(ARGS[1]) == 'closed' and turn(ARGS[1], 'closed', 'suspect', ARGS[2]) and 1 or 0
