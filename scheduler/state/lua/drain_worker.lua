-- Tells a worker to take nothing new, or with '0' to take work again. A draining worker is no member of the fleet, so
-- a worker of another version may start beside it.
-- Arguments: worker, 1 or 0.
-- Answers 1 if the worker is known.
local worker, draining = ARGS[1], PREFIX .. 'draining'
if read('SISMEMBER', PREFIX .. 'workers', worker) == 0 then return 0 end
if ARGS[2] == '0' then
  write('SREM', draining, worker)
  return 1
end
write('SADD', draining, worker)
write('ZREM', PREFIX .. 'members', worker)
return 1
