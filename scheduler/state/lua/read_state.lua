-- Reads the whole state at one moment, for a backup: every key but those that expire and those of the broker. Writes
-- nothing.
-- Arguments: none.
-- Answers for each key its name, its kind, and what it holds as a list.
local READ = {
  string = function(key) return {read('GET', key)} end,
  hash = function(key) return read('HGETALL', key) end,
  set = function(key) return read('SMEMBERS', key) end,
  list = function(key) return read('LRANGE', key, 0, -1) end,
  zset = function(key) return read('ZRANGE', key, 0, -1, 'WITHSCORES') end,
}
local rows, seen, cursor = {}, {}, '0'
local broker = PREFIX .. 'broker:'
repeat
  local page = read('SCAN', cursor, 'MATCH', PREFIX .. '*', 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local kind = read('TYPE', key).ok
    local wanted = READ[kind] and string.sub(key, 1, #broker) ~= broker and read('PTTL', key) < 0
    if wanted and not seen[key] then rows[#rows + 1] = {key, kind, READ[kind](key)} end
    seen[key] = true
  end
until cursor == '0'
return rows
