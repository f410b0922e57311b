-- Gives back the slot of a client that is closed. Arguments: lane, the slot (the attempt that opened it: stage|number).
free_slot(ARGS[1], ARGS[2])
return 1
