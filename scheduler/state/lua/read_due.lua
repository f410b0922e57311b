-- Reads the members of a zset of times that are due, the longest due first. Writes nothing.
-- Arguments: the key, how many at most.
-- Answers the members.
return read('ZRANGEBYSCORE', ARGS[1], '-inf', NOW, 'LIMIT', 0, tonumber(ARGS[2]))
