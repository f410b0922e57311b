-- The books and the server that has them. A server that takes over may lack the last writes that the one before it had
-- acknowledged, and money may have been spent on them. So nothing starts on a server whose books are not accepted.
-- Runs before every verb.

local BOOKS = PREFIX .. 'books'

-- Are the books closed, or will they be as soon as a process looks at them?
local function are_books_closed()
  local row = read('HMGET', BOOKS, 'run', 'closed')
  return row[2] or (row[1] and row[1] ~= read_run())
end

local function log_books(detail)
  write('XADD', PREFIX .. 'events', 'MAXLEN', '~', 1000, '*', 'at', NOW, 'from', '', 'to', '', 'detail', detail)
end

-- Closes the books: until the service's sessions since `since` are compared with them, nothing starts.
local function close_books(since, cause)
  local row = read('HMGET', BOOKS, 'closed', 'since')
  write('HSET', BOOKS, 'asked', NOW, 'since', math.min(since, tonumber(row[2]) or since), 'cause', cause)
  if row[1] then return end
  write('HSET', BOOKS, 'closed', NOW)
  log_books('the books are closed: ' .. cause)
end

-- Counts an amount that a lost attempt may have cost, until the service tells what it did.
local function doubt(amount, attempts)
  write('HSETNX', BOOKS, 'doubted_since', read('HGET', BOOKS, 'since') or NOW)
  add(BOOKS, 'doubtful', amount, 'attempts', attempts)
end

-- An attempt that the loss of writes left in doubt is clear now: its cost is exact, or final.
local function clear_doubt(amount)
  if add(BOOKS, 'attempts', -1, 'doubtful', -amount) > 0 or read('HEXISTS', BOOKS, 'closed') == 1 then return end
  write('HDEL', BOOKS, 'attempts', 'doubtful', 'doubted_since')
end
