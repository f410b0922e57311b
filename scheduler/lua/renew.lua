-- Renews the leases of one worker. Arguments: lease in milliseconds, then stage, fence, stage, fence, …
-- Answers one word each: 'held', 'stop' (held, and nobody wants it any more) or 'lost'.
local ttl = tonumber(ARGS[1])
local answers = {}
for i = 2, #ARGS, 2 do
  local id, fence = ARGS[i], ARGS[i + 1]
  if holds(id, fence) then
    redis.call('ZADD', state_key('running'), 'XX', NOW + ttl, id)
    answers[#answers + 1] = stage(id, 'stop') and 'stop' or 'held'
  else
    answers[#answers + 1] = 'lost'
  end
end
return answers
