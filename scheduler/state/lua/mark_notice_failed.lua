-- Plans the next try of a notice that its address did not take, or gives the notice up.
-- Arguments: notice, how many tries had failed before this one, reason, milliseconds until the next try ('' gives it
-- up).
-- Answers 1, or 0 if another sender, or the same call, was here before.
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
