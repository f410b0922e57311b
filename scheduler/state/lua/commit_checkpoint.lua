-- Records a checkpoint from which a later attempt can continue, and discards what it replaces, but not the one before
-- it.
-- Arguments: stage, fence, tokens and micro-dollars of this attempt in total, the checkpoint as JSON ({path, model,
-- step, micro_usd: what it cost to get there, whichever attempts paid, …}).
-- Answers 1, or 0 without the lease.
local id, fence, tokens, spent, text = unpack(ARGS, 1, 5)
if not holds_lease(id, fence) then return 0 end
meter(id, spent, tokens)
local key = stage_key(id) .. ':checkpoints'
local checkpoint = cjson.decode(text)
-- The call may be repeated, or the service overwrote this path: the new record replaces the old one.
for _, there in ipairs(read('LRANGE', key, 0, -1)) do
  if cjson.decode(there).path == checkpoint.path then write('LREM', key, 1, there) end
end
write('RPUSH', key, text)
write('ZREM', PREFIX .. 'discarded', checkpoint.model .. '|' .. checkpoint.path)
local days = to_number(checkpoint.ttl_days)
if days > 0 then write('ZADD', PREFIX .. 'expiring', NOW + days * 86400000 / 2, id) end
keep_newest(id, 2)
clear_failures(id)
write('ZADD', PREFIX .. 'progressed', NOW, id)
return 1
