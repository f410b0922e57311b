-- The address has not taken it: it is tried again later, or given up.
-- Arguments: notice, how often it had been tried in vain before, why, milliseconds until the next try ('' gives it up).
-- Answers 1, or 0 where another sender, or this very call, was here before.
local id, tries, reason, delay = unpack(ARGS, 1, 4)
local key = PREFIX .. 'notice:' .. id
local row = read('HMGET', key, 'address', 'tries')
if row[2] ~= tries then return 0 end
note_health(row[1], reason, delay == '' and 1 or 0)
if delay == '' then
  write('DEL', key)
  write('ZREM', PREFIX .. 'notices', id)
else
  add(key, 'tries', 1)
  write('ZADD', PREFIX .. 'notices', NOW + tonumber(delay), id)
end
return 1
