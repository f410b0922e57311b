-- Reads the unreconciled attempts that are due, the longest due first. Writes nothing.
-- Arguments: how many at most.
-- Answers for each: the attempt (stage|number), the attempt that opened its session, the model, '1' if another attempt
-- uses that session now, and what record_session_end wrote: when the sessions were found to be over, when the first one
-- began ('' before that), and their names.
local function is_in_use(opener)
  local id, attempt = string.match(opener, '^(.*)|(%d+)$')
  if read_stage(id, 'state') == 'running' and read_stage(id, 'attempt') == attempt then return '1' end
  for _, child in ipairs(read('SMEMBERS', stage_key(id) .. ':children')) do
    if read_stage(child, 'state') == 'running' and read_stage(child, 'opened_by') == opener then return '1' end
  end
  return ''
end

local found = {}
for _, attempt in ipairs(read('ZRANGEBYSCORE', PREFIX .. 'unreconciled', '-inf', NOW, 'LIMIT', 0, tonumber(ARGS[1]))) do
  local row = read('HMGET', PREFIX .. 'unreconciled:' .. attempt, 'opened_by', 'model', 'over', 'began', 'sessions')
  found[#found + 1] = {attempt, row[1], row[2], is_in_use(row[1]), row[3] or '', row[4] or '', row[5] or ''}
end
return found
