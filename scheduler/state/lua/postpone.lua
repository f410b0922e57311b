-- Has members of a zset whose scores are times looked at again later; one that has gone meanwhile stays away.
-- Arguments: the key, milliseconds from now, members.
for i = 3, #ARGS do write('ZADD', ARGS[1], 'XX', NOW + tonumber(ARGS[2]), ARGS[i]) end
return #ARGS - 2
