-- Notes which server has the books, and closes them if another one took over: for the fleet, or for the caller alone,
-- whose last writes may have gone to the server before.
-- Arguments: the run id of the server that the caller last saw ('' at first).
-- Answers {the run id of this server, 1 if the books are closed}.
local last, run = ARGS[1], read_run()
local row = read('HMGET', BOOKS, 'run', 'at', 'listed', 'before', 'seen')
local is_known = last == '' or last == run or last == row[4]
if row[1] == run and is_known then
  if not are_books_closed() then write('HSET', BOOKS, 'at', NOW) end
elseif not row[1] and is_known then
  write('HSET', BOOKS, 'run', run, 'at', NOW)
elseif not (is_known and row[5] == run) then -- the first that sees this server, or one that comes from elsewhere
  local since = row[1] == run and row[3] or row[2]
  write('HSET', BOOKS, 'seen', run)
  close_books(tonumber(since) or NOW, 'Redis was replaced or restarted, and may lack its last writes')
end
return {run, are_books_closed() and 1 or 0}
