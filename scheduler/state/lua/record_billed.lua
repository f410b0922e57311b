-- Records what a service bills for a sweep in total. A later value replaces it.
-- Arguments: sweep, service, tokens, micro-dollars ('' if the service names none).
-- Answers 1, or 0 if there is no such sweep.
local name, service, tokens, micro_usd = ARGS[1], ARGS[2], ARGS[3], ARGS[4]
local key = sweep_key(name)
if read('EXISTS', key) == 0 then return 0 end
write('HSET', key, 'billed_tokens:' .. service, tokens, 'billed:' .. service, micro_usd,
  'billed_at:' .. service, NOW)
return 1
