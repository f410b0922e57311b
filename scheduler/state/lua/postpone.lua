-- Makes members of a zset of times due later. A member that is gone stays away.
-- Arguments: the key, milliseconds from now, members.
-- Answers how many it was given.
for i = 3, #ARGS do write('ZADD', ARGS[1], 'XX', NOW + tonumber(ARGS[2]), ARGS[i]) end
return #ARGS - 2
