-- Makes a process a member of the fleet, or keeps it one, if the settings that all members share are the same here.
-- Arguments: who, milliseconds until it must report again (0: it leaves), then pairs of setting and value.
-- Answers {} for a member, else the first setting that differs, its value in the fleet, and a member that has it.
local name, ttl = ARGS[1], tonumber(ARGS[2])
local members, settings = PREFIX .. 'members', PREFIX .. 'shared_settings'
if ttl == 0 then
  write('ZREM', members, name)
  return {}
end
local others = read('ZRANGEBYSCORE', members, NOW, '+inf', 'LIMIT', 0, 2)
local other = others[1] ~= name and others[1] or others[2]
for i = 3, #ARGS, 2 do
  local value = read('HGET', settings, ARGS[i])
  if other and value and value ~= ARGS[i + 1] then return {ARGS[i], value, other} end
end
for i = 3, #ARGS, 2 do write('HSET', settings, ARGS[i], ARGS[i + 1]) end
write('ZREMRANGEBYSCORE', members, '-inf', NOW - 1)
write('ZADD', members, NOW + ttl, name)
return {}
