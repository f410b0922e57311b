-- Takes due notices out of the outbox for a while, at most one for each address. If the sender dies, they become due
-- again.
-- Arguments: milliseconds for which no other sender takes them, how many at most, addresses that are busy.
-- Answers for each: name, address, kind, sweep ('' for the fleet), time, detail, how many tries failed.
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
