-- Takes what is due out of the outbox for a while: if whoever took it dies, it is due again, and only time is lost.
-- One for each address, the longest due, so that an address that is slow has one sender at a time.
-- Arguments: milliseconds for which nobody else takes it, how many at most, addresses that are busy.
-- Answers for each: its name, address, kind, sweep ('' for the fleet), time, detail, how often it was tried in vain.
local hold, most = tonumber(ARGS[1]), tonumber(ARGS[2])
local busy, found = {}, {}
for i = 3, #ARGS do busy[ARGS[i]] = true end
for _, id in ipairs(read('ZRANGEBYSCORE', PREFIX .. 'notices', '-inf', NOW)) do
  local address = read('HGET', PREFIX .. 'notice:' .. id, 'address')
  if #found < most and not busy[address] then
    busy[address] = true
    write('ZADD', PREFIX .. 'notices', NOW + hold, id)
    local row = read('HMGET', PREFIX .. 'notice:' .. id, 'kind', 'sweep', 'at', 'detail', 'tries')
    found[#found + 1] = {id, address, unpack(row)}
  end
end
return found
