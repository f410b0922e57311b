-- Renews the leases of one worker, and the slots of the clients that they use.
-- Arguments: lease in milliseconds, then for each lease stage, fence, milliseconds since the attempt got any further,
-- milliseconds since the service did something for it (-1: not yet), and '1' where errors of the service keep it.
-- Answers one word each: 'held', 'stop' (held, and nobody wants it any more), 'yield' (held, and whoever pays for it pays
-- no more: give it back), 'park' (held, and the service is down: give it back) or 'lost'. It is found out anew each time,
-- so that a change of mind takes effect at once, however many stages a sweep has.
local ttl = tonumber(ARGS[1])
local answers, heard = {}, {}
local suspects = redis.call('EXISTS', PREFIX .. 'suspects') == 1

-- One that was suspected of killing its worker, and has outlived a whole lease: the next one's turn must not wait for
-- its next checkpoint, or a power cut would be followed by a night of one stage at a time.
local function clear(id, started)
  if NOW - number(started) > ttl then redis.call('SREM', PREFIX .. 'suspects', id) end
end

local function word(id, service, payer)
  local state = breaker(service)
  if state == 'open' or state == 'stopped' then return 'park' end
  if is_live(payer) then return 'held' end
  return wanted(id) and 'yield' or 'stop'
end

local function troubled(service, slot)
  local key = PREFIX .. 'trouble:' .. service
  redis.call('ZADD', key, NOW, slot)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', NOW - 600000)
  redis.call('PEXPIRE', key, 600000)
end

for i = 2, #ARGS, 5 do
  local id, fence, quiet, ago = ARGS[i], ARGS[i + 1], tonumber(ARGS[i + 2]), tonumber(ARGS[i + 3])
  if holds(id, fence) then
    local row = redis.call('HMGET', stage_key(id), 'lane', 'slot', 'service', 'payer', 'started')
    redis.call('ZADD', state_key('running'), 'XX', NOW + ttl, id)
    redis.call('ZADD', PREFIX .. 'progressed', 'XX', NOW - quiet, id)
    hold_slot(row[1], row[2], NOW + ttl)
    if ago >= 0 then heard[row[3]] = math.max(heard[row[3]] or 0, NOW - ago) end
    if ARGS[i + 4] == '1' then troubled(row[3], row[2]) end
    if suspects then clear(id, row[5]) end
    answers[#answers + 1] = word(id, row[3], row[4])
  else
    answers[#answers + 1] = 'lost'
  end
end
for service, at in pairs(heard) do
  if at > number(redis.call('HGET', breaker_key(service), 'heard')) then
    redis.call('HSET', breaker_key(service), 'heard', at)
  end
end
return answers
