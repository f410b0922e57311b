-- Renews the leases of one worker and the slots of the clients that they use, and tells the worker what is wanted of
-- each attempt. It decides again at each call, so a change takes effect at once.
-- Arguments: lease in milliseconds, then for each lease: stage, fence, milliseconds since the attempt made progress,
-- milliseconds since the service did something for it (-1: never), and '1' if errors of the service stop it.
-- Answers one word each: 'held'; 'stop' (held, but no sweep wants the stage any more); 'yield' (held, but its payer
-- pays no more: give it back); 'park' (held, but the service is down: give it back); 'lost'.
local ttl = tonumber(ARGS[1])
local answers, heard, renewed, troubled = {}, {}, {}, {}
local suspects = read('EXISTS', PREFIX .. 'suspects') == 1

local function put(key, score, member) -- collects the members of each zset, which are written once for all leases
  local list = renewed[key] or {}
  renewed[key] = list
  list[#list + 1], list[#list + 2] = score, member
end

-- Clears a suspect that has outlived a whole lease. If it had to reach a checkpoint first, a power cut would make the
-- fleet run one stage at a time for a night.
local function clear(id, started)
  if NOW - to_number(started) > ttl then write('SREM', PREFIX .. 'suspects', id) end
end

local function word(id, service, payer)
  local state = read_breaker(service)
  if state == 'open' or state == 'stopped' then return 'park' end
  if is_live(payer) then return 'held' end
  return is_wanted(id) and 'yield' or 'stop'
end

local function renew(id, quiet, ago, is_troubled)
  local row = read('HMGET', stage_key(id), 'lane', 'slot', 'service', 'payer', 'started')
  local lane, slot, service, payer = unpack(row, 1, 4)
  put(state_key('running'), NOW + ttl, id)
  put(PREFIX .. 'progressed', NOW - quiet, id)
  put(slots_key(find_pool(lane)), NOW + ttl, slot)
  put(slots_key(lane), NOW + ttl, slot)
  if is_troubled then
    troubled[service] = PREFIX .. 'trouble:' .. service
    put(troubled[service], NOW, slot)
  end
  if ago >= 0 then heard[service] = math.max(heard[service] or 0, NOW - ago) end
  if suspects then clear(id, row[5]) end
  return word(id, service, payer)
end

for i = 2, #ARGS, 5 do
  local id, fence = ARGS[i], ARGS[i + 1]
  answers[#answers + 1] = holds_lease(id, fence)
    and renew(id, tonumber(ARGS[i + 2]), tonumber(ARGS[i + 3]), ARGS[i + 4] == '1') or 'lost'
end
for key, list in pairs(renewed) do write('ZADD', key, unpack(list)) end
for service, at in pairs(heard) do
  local key = breaker_key(service)
  if at > to_number(read('HGET', key, 'heard')) then write('HSET', key, 'heard', at) end
end
for _, key in pairs(troubled) do
  write('ZREMRANGEBYSCORE', key, '-inf', NOW - 600000)
  write('PEXPIRE', key, 600000)
end
return answers
