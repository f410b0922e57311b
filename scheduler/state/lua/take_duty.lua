-- Takes or keeps a duty that one at a time has, or gives it up. Arguments: who, milliseconds (0: gives up), the duty
-- ('leader', the right to tick, if none is named). Answers 1 if it is theirs.
local key, ttl = PREFIX .. (ARGS[3] or 'leader'), tonumber(ARGS[2])
local leader = read('GET', key)
if leader and leader ~= ARGS[1] then return 0 end
if ttl == 0 then
  write('DEL', key)
  return 0
end
write('SET', key, ARGS[1], 'PX', ttl)
return 1
