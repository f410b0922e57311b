-- Frees the slot of a client that is closed.
-- Arguments: lane, slot (the attempt that opened the client: stage|number).
-- Answers 1.
free_slot(ARGS[1], ARGS[2])
return 1
