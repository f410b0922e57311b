-- Sets limits of the whole fleet. Arguments: what is limited, the number ('' lifts it), … Answers how many.
for i = 1, #ARGS, 2 do
  if ARGS[i + 1] == '' then
    redis.call('HDEL', PREFIX .. 'limits', ARGS[i])
  else
    redis.call('HSET', PREFIX .. 'limits', ARGS[i], ARGS[i + 1])
  end
end
return #ARGS / 2
