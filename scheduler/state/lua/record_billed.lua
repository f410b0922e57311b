-- Notes what a service says that it bills for a sweep, in all: repeating it, or a later word, takes its place.
-- Arguments: sweep, service, tokens, micro-dollars ('' where it names none). Answers 1, or 0 without such a sweep.
local name, service, tokens, micro_usd = ARGS[1], ARGS[2], ARGS[3], ARGS[4]
local key = sweep_key(name)
if read('EXISTS', key) == 0 then return 0 end
write('HSET', key, 'billed_tokens:' .. service, tokens, 'billed:' .. service, micro_usd,
  'billed_at:' .. service, NOW)
return 1
