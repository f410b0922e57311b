-- Sets what all sweeps of a user may spend in a UTC day or month, or lifts that, and writes it into the audit log.
-- Arguments: who, from where, user, detail for the log, then 'day' or 'month' and micro-dollars ('' for no limit), …
-- Answers 1.
local user, limits = ARGS[3], PREFIX .. 'user_limits'
for i = 5, #ARGS, 2 do
  local field = ARGS[i] .. '|' .. user
  if ARGS[i + 1] == '' then write('HDEL', limits, field) else write('HSET', limits, field, ARGS[i + 1]) end
end
audit(ARGS[1], ARGS[2], 'set user budget', user, ARGS[4])
return 1
