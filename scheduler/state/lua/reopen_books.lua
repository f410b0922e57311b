-- Opens the books again: the sessions that the service knows are compared with them. It does not if another server took
-- over meanwhile, or a process asked again, or a stage is still dispatched: its claim may be among what was lost.
-- Arguments: the run id at the beginning of the comparison, when the books were last closed then ('asked'), when the
-- sessions were listed (milliseconds), then the services that cannot tell.
-- Answers 1 if the books are open.
local run, asked, listed = ARGS[1], ARGS[2], ARGS[3]
local row = read('HMGET', BOOKS, 'asked', 'closed', 'since', 'attempts')
if run ~= read_run() or row[1] ~= asked then return 0 end
if not row[2] then return 1 end
if read('ZCARD', state_key('dispatched')) > 0 then return 0 end

-- What a service that cannot tell may have done without our books: no more than the budgets had room for.
local function sum_rooms(service)
  local limit, rooms = read_day_limit(service), 0
  for _, sweep in ipairs(read('SUNION', PREFIX .. 'live', PREFIX .. 'held')) do
    local books = read('HMGET', sweep_key(sweep), 'limit', 'spent', 'reserved', 'unreconciled')
    local most = tonumber(books[1])
    if not most then
      rooms = nil
      break
    end
    rooms = rooms + math.max(0, most - to_number(books[2]) - to_number(books[3]) - to_number(books[4]))
  end
  if not limit then return rooms end
  local day = read('HMGET', day_key(service, TODAY), 'spent', 'unreconciled')
  local room = math.max(0, limit - to_number(day[1]) - to_number(day[2]))
  return rooms and math.min(room, rooms) or room
end

for i = 4, #ARGS do
  write('HSET', BOOKS, 'untold:' .. ARGS[i], row[3] .. '|' .. (sum_rooms(ARGS[i]) or ''))
end
write('HSET', BOOKS, 'run', run, 'at', NOW, 'listed', listed)
write('HDEL', BOOKS, 'closed', 'since', 'asked', 'cause', 'seen', 'before')
log_books('the books are open: ' .. to_number(row[4]) .. ' attempts of unknown cost')
if to_number(row[4]) == 0 then write('HDEL', BOOKS, 'attempts', 'doubtful', 'doubted_since') end
return 1
