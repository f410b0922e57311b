-- Books what an attempt has used so far and keeps its newest numbers for `sweep status`.
-- Arguments: stage, fence, tokens and micro-dollars of this attempt in total, progress as JSON, longest curve kept,
-- then points of the learning curve as JSON (none, or the whole thinned curve).
-- Answers 1, or 0 without the lease.
local id, fence, tokens, spent, progress, longest = unpack(ARGS, 1, 6)
if not holds_lease(id, fence) then return 0 end
meter(id, spent, tokens)
write('HSET', stage_key(id), 'progress', progress)
if #ARGS > 6 then
  local key = stage_key(id) .. ':curve'
  write('DEL', key)
  write('RPUSH', key, unpack(ARGS, 7))
  write('LTRIM', key, -tonumber(longest), -1)
end
return 1
