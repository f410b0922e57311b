-- Writes a line about the running attempt to the event log.
-- Arguments: stage, fence, the line.
-- Answers 1, or 0 without the lease.
if not holds_lease(ARGS[1], ARGS[2]) then return 0 end
log_event(ARGS[1], ARGS[3])
return 1
