-- What it is time to look at, the longest due first. Arguments: the key of a zset whose scores are times, how many at
-- most. Answers the members.
return read('ZRANGEBYSCORE', ARGS[1], '-inf', NOW, 'LIMIT', 0, tonumber(ARGS[2]))
