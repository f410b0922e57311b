-- Records that the sessions of an unreconciled attempt are over, and discards the checkpoints that it left there and
-- that no list names. Without its lease none of them can enter a list any more.
-- Arguments: the attempt (stage|number), when its first session began (milliseconds, or ''), milliseconds until the
-- service's count is final, the sessions (separated by spaces), the paths of the checkpoints.
-- Answers how many checkpoints it discarded.
local attempt, began, lag, sessions = unpack(ARGS, 1, 4)
local key = PREFIX .. 'unreconciled:' .. attempt
local row = read('HMGET', key, 'opened_by', 'model', 'over')
if not row[1] or row[3] then return 0 end
local known = list_known_paths((string.match(row[1], '^(.*)|%d+$')))
local count = 0
for i = 5, #ARGS do
  if not known[ARGS[i]] then
    discard({model = row[2], path = ARGS[i]})
    count = count + 1
  end
end
write('HSET', key, 'over', NOW, 'began', began, 'sessions', sessions)
write('ZADD', PREFIX .. 'unreconciled', NOW + tonumber(lag), attempt)
return count
