-- Updates one sweep's view of one stage: its counts, its queue of ready stages, its values and aggregates. Repeating
-- the call changes nothing.
-- Arguments: sweep, stage.
-- Answers 1, or 0 if the sweep does not have the stage any more.
local sweep, id = ARGS[1], ARGS[2]
local base = sweep_key(sweep)
local score = tonumber(read('ZSCORE', base .. ':stages', id) or nil)
if not score then return 0 end
local position, state = math.floor(score), read_stage(id, 'state')

-- A stage in backoff is in no queue: wake_stages brings it back, and no tick looks at it before.
local function queue()
  local ready = base .. ':ready:' .. read_stage(id, 'lane')
  if state == 'ready' and to_number(read_stage(id, 'not_before')) <= NOW then
    write('ZADD', ready, position, id)
  else
    write('ZREM', ready, id)
  end
end

-- Welford's running mean and sum of squares. A value counts once: its field in the hash of values says so.
local function enter(run, cell, metric, value)
  if write('HSETNX', base .. ':values', run .. '|' .. metric, value) == 0 then return end
  local at = cell .. '|' .. metric .. '|'
  local cells = base .. ':cells'
  local n = add(cells, at .. 'count', 1)
  local mean = to_number(read('HGET', cells, at .. 'mean'))
  local step = tonumber(value) - mean
  local moved = mean + step / n
  local m2 = to_number(read('HGET', cells, at .. 'm2')) + step * (tonumber(value) - moved)
  write('HSET', cells, at .. 'mean', string.format('%.17g', moved), at .. 'm2', string.format('%.17g', m2))
end

-- A feed is {run, cell, prefix}: the metric `nll` of an evaluation on the source is `source.nll` in the run's row.
local function feed()
  local feeds = read('HGET', base .. ':feeds', id)
  if state ~= 'succeeded' or not feeds then return end
  local metrics = cjson.decode(read_stage(id, 'metrics') or '{}')
  if type(metrics) ~= 'table' then return end
  for _, target in ipairs(cjson.decode(feeds)) do
    for name, value in pairs(metrics) do
      if type(value) == 'number' then enter(target[1], target[2], target[3] .. name, string.format('%.17g', value)) end
    end
  end
end

count_stage(sweep, id, score, state)
queue()
feed()
close_if_done(sweep)
return 1
