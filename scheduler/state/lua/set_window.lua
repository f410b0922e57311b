-- Opens or closes the window of a sweep, and notes when to look again. Outside its window a sweep wants its stages and
-- pays for none.
-- Arguments: name, '1' if it may run now, when its window opens or closes next or its deadline passes (milliseconds, ''
-- for never), a line for people.
-- Answers 1 if that changed anything.
local name, open, again, detail = unpack(ARGS, 1, 4)
local key = sweep_key(name)
local state = read('HGET', key, 'state')
if again == '' or (state ~= 'active' and state ~= 'paused') then
  write('ZREM', PREFIX .. 'windows', name)
else
  write('ZADD', PREFIX .. 'windows', again, name)
end
write('HSET', key, 'hours', detail) -- also without a change: a sweep that is submitted outside its window begins closed
local was_closed = read('HEXISTS', key, 'outside') == 1
if was_closed == (open ~= '1') then return 0 end
if open == '1' then write('HDEL', key, 'outside') else write('HSET', key, 'outside', NOW) end
sync_sweep(name)
if open ~= '1' and read('HGET', key, 'started') then notify(name, 'hours', detail, NOW) end
start_walk(name, 'reconsider')
return 1
