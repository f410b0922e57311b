-- Takes, keeps or gives up a duty that one process has at a time.
-- Arguments: who, milliseconds (0 gives it up), the duty (missing: 'leader', the right to tick).
-- Answers 1 if the caller has the duty.
local key, ttl = PREFIX .. (ARGS[3] or 'leader'), tonumber(ARGS[2])
local leader = read('GET', key)
if leader and leader ~= ARGS[1] then return 0 end
if ttl == 0 then
  write('DEL', key)
  return 0
end
write('SET', key, ARGS[1], 'PX', ttl)
return 1
