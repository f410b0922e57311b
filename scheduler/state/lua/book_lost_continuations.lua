-- Books what may have been done on the live clients of trainings that have ended: their worker continues with
-- evaluations there, and the lease of one may be among what was lost.
-- Arguments: the pools.
-- Answers how many.
local count = 0

-- An attempt that runs here may have ended there: reserves what may have continued on its client, until it ends here.
local function cover(id, opener)
  if read_stage(id, 'continues') == opener then return end
  local amount = estimate_continuations((string.match(opener, '^(.*)|%d+$')))
  write('HSET', stage_key(id), 'continues', opener)
  add(stage_key(id), 'reserved', amount)
  book(id, read_stage(id, 'payer'), {reserved = amount})
end

-- Does an attempt that runs or is unreconciled cover all that follows in the session?
local function is_covered(id, opener)
  local current = id .. '|' .. to_number(read_stage(id, 'attempt'))
  local runs = read_stage(id, 'state') == 'running' and current == opener and id
  for _, child in ipairs(read('SMEMBERS', stage_key(id) .. ':children')) do
    if read_stage(child, 'state') == 'running' and read_stage(child, 'opened_by') == opener then runs = child end
    for number = 1, to_number(read_stage(child, 'attempt')) do
      local attempt = PREFIX .. 'unreconciled:' .. child .. '|' .. number
      if read('HGET', attempt, 'opened_by') == opener then return true end
    end
  end
  if runs then cover(runs, opener) end
  return runs or read('EXISTS', PREFIX .. 'unreconciled:' .. opener) == 1
end

-- What the books have of a session: the last total that a settlement in it reported.
local function read_session_usage(id, opener)
  local row = read('HMGET', stage_key(id), 'session', 'session_usage')
  local usage, most = row[1] == opener and row[2], row[1] == opener and 0 or -1
  for _, child in ipairs(read('SMEMBERS', stage_key(id) .. ':children')) do
    local its_own = read('HMGET', stage_key(child), 'session', 'session_usage')
    if its_own[1] == opener then
      local total = 0
      for _, tokens in pairs(cjson.decode(its_own[2])) do total = total + tokens end
      if total > most then usage, most = its_own[2], total end
    end
  end
  return usage
end

for _, pool in ipairs(ARGS) do
  for _, opener in ipairs(read('ZRANGE', slots_key(pool), 0, -1)) do
    local id = string.match(opener, '^(.*)|%d+$')
    local usage = id and not is_covered(id, opener) and read_session_usage(id, opener)
    local amount = usage and estimate_continuations(id) or 0
    if amount > 0 then
      local row = read('HMGET', stage_key(id), 'payer', 'rates', 'lane', 'started')
      open_reconciliation(id, opener, {payer = row[1], unreconciled = amount, rates = row[2],
        model = find_model(row[3]), began = to_number(row[4]), opened_usage = usage})
      count = count + 1
    end
  end
end
return count
