-- Moves the breaker of a service by what a canary found, and keeps the last results. The result of an outdated try
-- changes nothing.
-- Arguments: service, the name of the try, 'healthy', 'down', 'stopped' (the key or the account is refused) or 'unsure'
-- (the canary could not run), cause, how many tries in a row must fail before the service is down.
-- Answers the state of the breaker now.
local service, name, word, cause, tries = unpack(ARGS, 1, 5)
local state = read_breaker(service)
if read('HGET', breaker_key(service), 'canary') ~= name then return state end
write('HDEL', breaker_key(service), 'canary', 'canary_until')
if word == 'healthy' or (word == 'unsure' and state == 'suspect') then
  write('HSET', breaker_key(service), 'heard', NOW)
  -- After an outage all attempts would come back at once, so capacity starts small again. A suspicion changes nothing.
  if state == 'open' then write('HSET', breaker_key(service), 'recovered', NOW) end
  move_breaker(service, state, 'closed', cause)
elseif word == 'stopped' then
  move_breaker(service, state, 'stopped', cause)
elseif word == 'down' and state == 'suspect' then
  if add(breaker_key(service), 'fails', 1) >= tonumber(tries) then
    move_breaker(service, 'suspect', 'open', cause)
  else
    write('HSET', breaker_key(service), 'next', NOW)
  end
elseif word == 'down' then
  write('HSET', breaker_key(service), 'cause', cause)
end
local after = read_breaker(service)
write('XADD', PREFIX .. 'canaries:' .. service, 'MAXLEN', '~', 100, '*', 'at', NOW, 'found', word, 'cause', cause,
  'breaker', after)
return after
