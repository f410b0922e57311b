-- Opens a parent again whose checkpoint has gone, and lets the child that needs it wait.
-- Arguments: the child, its fence, tokens and micro-dollars of its attempt in all, the parent, the path that has gone,
-- how often a parent may be trained again before the child fails. Answers 1, or 0 without the lease. A parent that
-- another child has sent back already is left alone.
local id, fence, tokens, spent, parent, path, most = unpack(ARGS, 1, 7)
if not holds(id, fence) then return 0 end
local key = stage_key(parent) .. ':checkpoints'
for _, text in ipairs(redis.call('LRANGE', key, 0, -1)) do
  if cjson.decode(text).path == path then redis.call('LREM', key, 1, text) end
end
local why = 'the checkpoint that ' .. parent .. ' left is gone'
local again = number(stage(parent, 'retrained'))
meter(id, spent, tokens)
redis.call('HSET', stage_key(id), 'cause', why)
if again >= tonumber(most) then
  move(id, 'running', 'failed', NOW, why .. ', and so it was when it had been trained again')
else
  move(id, 'running', 'ready', NOW, why)
  if stage(parent, 'state') == 'succeeded' and redis.call('LLEN', key) == 0 then
    redis.call('HSET', stage_key(parent), 'retrained', again + 1)
    move(parent, 'succeeded', 'ready', NOW, 'what it left is gone, and ' .. id .. ' needs it')
  end
  if stage(parent, 'state') ~= 'succeeded' then move(id, 'ready', 'waiting', NOW, 'for ' .. parent) end
end
let_go(id, 'at most')
return 1
