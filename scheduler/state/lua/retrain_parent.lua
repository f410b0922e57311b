-- Reopens a parent whose checkpoint or measurement is gone, and lets the child that needs it wait.
-- Arguments: the child, its fence, tokens and micro-dollars of its attempt in total, the parent, the path that is gone
-- ('' if there was none), how often a parent may be trained again before the child fails.
-- Answers 1, or 0 without the lease. A parent that another child reopened already, or that saved another checkpoint
-- since, is left alone.
local id, fence, tokens, spent, parent, path, most = unpack(ARGS, 1, 7)
if not holds_lease(id, fence) then return 0 end
local key = stage_key(parent) .. ':checkpoints'
local list = read_checkpoints(parent)
local newest = list[#list]
-- The parent ended at the newest checkpoint. Only the parent itself can continue from the older ones.
local bare = read_stage(parent, 'state') == 'succeeded' and (not newest or newest.path == path)
local what = read_stage(parent, 'kind') == 'evaluate' and 'result' or 'checkpoint'
local why = 'the ' .. what .. ' of ' .. parent .. ' is gone'
local again = to_number(read_stage(parent, 'retrained'))
meter(id, spent, tokens)
write('HSET', stage_key(id), 'cause', why)
if bare and newest then write('RPOP', key) end
if bare and again >= tonumber(most) then
  write('HSET', stage_key(id), 'cause', why .. ', also after it was trained again')
  move(id, 'running', 'failed', NOW, read_stage(id, 'cause'))
else
  move(id, 'running', 'ready', NOW, why)
  if bare then
    write('HSET', stage_key(parent), 'retrained', again + 1)
    move(parent, 'succeeded', 'ready', NOW, 'its ' .. what .. ' is gone and ' .. id .. ' needs it')
  end
  if read_stage(parent, 'state') ~= 'succeeded' then move(id, 'ready', 'waiting', NOW, 'for ' .. parent) end
end
release(id, 'at most')
return 1
