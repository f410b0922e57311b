-- Books what an attempt has used so far and keeps its newest numbers for `sweep status`.
-- Arguments: stage, fence, tokens and micro-dollars of this attempt in total, progress as JSON, the whole thinned
-- learning curve, packed ('' for no news).
-- Answers 1, or 0 without the lease.
local id, fence, tokens, spent, progress, curve = unpack(ARGS, 1, 6)
if not holds_lease(id, fence) then return 0 end
meter(id, spent, tokens)
write('HSET', stage_key(id), 'progress', progress)
if curve ~= '' then write('SET', stage_key(id) .. ':curve', curve) end
return 1
