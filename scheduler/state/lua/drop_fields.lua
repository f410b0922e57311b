-- Deletes fields of one hash of a sweep that is archived or being removed.
-- Arguments: sweep, the hash ('runs', 'values', 'cells', 'feeds', 'candidates' or 'held'), fields.
-- Answers 1, or 0 if the sweep may not lose them.
if not may_drop(ARGS[1]) then return 0 end
write('HDEL', sweep_key(ARGS[1]) .. ':' .. ARGS[2], unpack(ARGS, 3))
return 1
