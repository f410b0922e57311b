-- Appends a round to a sweep with `until` all of whose stages have ended: its rows, what feeds them, and its stages, which
-- the sweep holds back so far. Two callers that know the same append it once.
-- Arguments: sweep, how many rounds were appended before, the record of this one, how many rows, number and row of
-- each, how many feeds, stage and feeds of each, stages in the order of the plan.
-- Answers 'appended', or why not: see check_round.
local sweep, base = ARGS[1], sweep_key(ARGS[1])
local why = check_round(sweep, ARGS[2])
if why then return why end

local place = 4
local function take_pairs(key, join)
  local last = place + 2 * tonumber(ARGS[place])
  for i = place + 1, last, 2 do write('HSET', key, ARGS[i], join(ARGS[i], ARGS[i + 1])) end
  place = last + 1
end

local function keep_row(_, row) return row end
local function join_feeds(stage, feeds)
  local before = read('HGET', base .. ':feeds', stage)
  if not before then return feeds end
  local list = cjson.decode(before)
  for _, feed in ipairs(cjson.decode(feeds)) do list[#list + 1] = feed end
  return cjson.encode(list)
end

take_pairs(base .. ':runs', keep_row)
take_pairs(base .. ':feeds', join_feeds)
local position = read('ZCARD', base .. ':stages')
for i = place, #ARGS do
  local id = ARGS[i]
  if not read('ZSCORE', base .. ':stages', id) then
    local held = cjson.decode(read('HGET', base .. ':held', id))
    add_to_sweep(sweep, position, id, held.parents, held.fields)
    reopen_stage(id, 'reopen')
    position = position + 1
  end
  mark_changed(id)
end
add(base, 'rounds', 1)
write('RPUSH', base .. ':rounds', ARGS[3])
write('HDEL', base, 'rounds_wait')
write('ZREM', PREFIX .. 'rounds_due', sweep)
return 'appended'
