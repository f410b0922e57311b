-- Forgets a checkpoint that the service no longer has. The one before takes its place.
-- Arguments: stage, fence, the checkpoint's path, and the path that is gone: the same, or one that the checkpoint
-- needs.
-- Answers 1, or 0 without the lease.
local id, fence, path, gone = unpack(ARGS, 1, 4)
if not holds_lease(id, fence) then return 0 end
local key = stage_key(id) .. ':checkpoints'
for _, text in ipairs(read('LRANGE', key, 0, -1)) do
  local checkpoint = cjson.decode(text)
  if checkpoint.path == path then
    write('LREM', key, 1, text)
    discard_unshared(id, checkpoint, gone)
    local left = read_checkpoints(id)
    local before = left[#left]
    log_event(id, 'the checkpoint at step ' .. checkpoint.step .. ' is gone; '
      .. (before and 'it continues from step ' .. before.step or 'it starts from the beginning'))
  end
end
return 1
