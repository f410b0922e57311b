-- Keeps the answer of a sweep that has ended, so that what it is drawn from may go.
-- Arguments: sweep, the answer, packed.
-- Answers 1, or 0 if the sweep has not ended.
if check_ended(ARGS[1]) then return 0 end
write('SET', sweep_key(ARGS[1]) .. ':answer', ARGS[2])
return 1
