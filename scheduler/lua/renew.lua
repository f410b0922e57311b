-- Renews the leases of one worker. Arguments: lease in milliseconds, then stage, fence, milliseconds since the attempt
-- got any further, stage, fence, …
-- Answers one word each: 'held', 'stop' (held, and nobody wants it any more), 'yield' (held, and whoever pays for it
-- pays no more: give it back) or 'lost'.
local ttl = tonumber(ARGS[1])
local answers = {}
local suspects = redis.call('EXISTS', PREFIX .. 'suspects') == 1

-- One that was suspected of killing its worker, and has outlived a whole lease: the next one's turn must not wait for
-- its next checkpoint, or a power cut would be followed by a night of one stage at a time.
local function clear(id)
  if NOW - number(stage(id, 'started')) > ttl then redis.call('SREM', PREFIX .. 'suspects', id) end
end

for i = 2, #ARGS, 3 do
  local id, fence, quiet = ARGS[i], ARGS[i + 1], tonumber(ARGS[i + 2])
  if holds(id, fence) then
    redis.call('ZADD', state_key('running'), 'XX', NOW + ttl, id)
    redis.call('ZADD', PREFIX .. 'progressed', 'XX', NOW - quiet, id)
    if suspects then clear(id) end
    answers[#answers + 1] = stage(id, 'stop') or 'held'
  else
    answers[#answers + 1] = 'lost'
  end
end
return answers
