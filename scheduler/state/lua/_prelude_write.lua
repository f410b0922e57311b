-- The only way from a verb to the server: `read` and `write`. Runs before everything else.
--
-- A verb reads and writes in any order, raises an error when something is wrong, and answers with `return`. It need not
-- order its writes: the server makes all of them or none. A Lua script is no transaction, so each write first notes its
-- inverse (`note_inverse`). If anything raises an error, all inverses run, the last one first. A note is as large as its
-- write; only for lists and deleted keys, which are small, is it as large as the key. A kind of write without an
-- inverse is refused.
--
-- Without free memory the server refuses the first write of a script if it could grow, but none of the later ones. So
-- the first write of every verb is empty and uses a command that could grow: without free memory no verb writes
-- anything.

local call = redis.call
local redis = nil -- a verb cannot bypass `write`
local read = call

local LARGEST = 9007199254740992 -- beyond 2^53 one Lua number means several integers

-- The only place where a number becomes text for the server. Zero has no sign: Redis does not accept `-0` as an
-- integer.
local function spell(value)
  if type(value) ~= 'number' then
    if value == nil then error('a value is missing', 3) end
    return value
  end
  if value == 0 then return '0' end
  if value ~= math.floor(value) then
    if value ~= value then error('not a number', 3) end
    return string.format('%.17g', value)
  end
  if math.abs(value) > LARGEST then error('a number beyond 2^53', 3) end
  return string.format('%.0f', value)
end

local journal = {}

-- Takes every second word, from the one at `first` on.
local function take_every_second(words, first)
  local taken = {}
  for i = first, #words, 2 do taken[#taken + 1] = words[i] end
  return taken
end

-- The journal has, for each write, how to take it back and with what. Few verbs fail, so only then are commands made.

local function take_back_call(note) call(unpack(note, 2)) end

-- Members of a zset, or fields of a hash, as they were before (false: they were missing).
local function take_back_names(note)
  local set, key, names, before = note[2], note[3], note[4], note[5]
  for i, name in ipairs(names) do
    local value = before[i]
    if set == 'ZADD' then
      if value then call('ZADD', key, value, name) else call('ZREM', key, name) end
    elseif value then
      call('HSET', key, name, value)
    else
      call('HDEL', key, name)
    end
  end
end

local function takes_back(...) journal[#journal + 1] = {take_back_call, ...} end
local function note_names(set, key, names, before) journal[#journal + 1] = {take_back_names, set, key, names, before} end
local function note_fields(key, names) note_names('HSET', key, names, call('HMGET', key, unpack(names))) end
local function note_members(key, names) note_names('ZADD', key, names, call('ZMSCORE', key, unpack(names))) end

-- Notes the whole key, once in each verb. The inverses run from the last to the first: delete, then write the old
-- content. No verb deletes a zset, so there is no inverse for it.
local whole = {}
local function note_whole(key)
  if whole[key] then return end
  whole[key] = true
  local kind, left = call('TYPE', key).ok, call('PTTL', key)
  if left > 0 then takes_back('PEXPIRE', key, left) end
  if kind == 'string' then takes_back('SET', key, call('GET', key)) end
  if kind == 'list' then takes_back('RPUSH', key, unpack(call('LRANGE', key, 0, -1))) end
  if kind == 'set' then takes_back('SADD', key, unpack(call('SMEMBERS', key))) end
  if kind == 'hash' then takes_back('HSET', key, unpack(call('HGETALL', key))) end
  if kind == 'zset' then error('a zset cannot be written back', 4) end
  takes_back('DEL', key)
end

-- Notes the inverse of a command before the write. The commands that verbs use most come first.
local function note_inverse(command, key, words)
  if command == 'HSET' or command == 'HSETNX' then
    note_fields(key, take_every_second(words, 1))
  elseif command == 'ZADD' then
    note_members(key, take_every_second(words, words[1] == 'XX' and 3 or 2))
  elseif command == 'HDEL' then
    note_fields(key, words)
  elseif command == 'ZREM' then
    note_members(key, words)
  elseif command == 'SADD' or command == 'SREM' then
    if #words ~= 1 then error('one member at a time', 3) end
    takes_back(call('SISMEMBER', key, words[1]) == 1 and 'SADD' or 'SREM', key, words[1])
  elseif command == 'ZREMRANGEBYSCORE' then
    local before = call('ZRANGEBYSCORE', key, words[1], words[2], 'WITHSCORES')
    for i = 1, #before, 2 do takes_back('ZADD', key, before[i + 1], before[i]) end
  elseif command == 'PEXPIRE' then
    local left = call('PTTL', key)
    if left > 0 then takes_back('PEXPIRE', key, left) else takes_back('PERSIST', key) end
  elseif command == 'XADD' or command == 'INCR' then
    return -- the answer says what takes it back; `write` notes it
  elseif string.find(' SET DEL LPOP RPOP LREM RPUSH LTRIM ', ' ' .. command .. ' ', 1, true) then
    note_whole(key)
  else
    error('no inverse of ' .. command, 3)
  end
end

local is_writing = false
local function begin_to_write()
  is_writing = true
  call('SETRANGE', ARGV[1] .. 'room', 0, '')
end

local function write(command, key, ...)
  local words = {...}
  for i = 1, select('#', ...) do words[i] = spell(words[i]) end
  if not is_writing then begin_to_write() end
  note_inverse(command, key, words)
  local answer = call(command, key, unpack(words))
  if command == 'XADD' then takes_back('XDEL', key, answer) end
  if command == 'INCR' then takes_back(answer == 1 and 'DEL' or 'DECR', key) end
  return answer
end

-- Adds to numbers in a hash: field, amount, … Answers the new value of the first field.
local function add(key, ...)
  local words, fields = {...}, {}
  for i = 1, #words, 2 do fields[#fields + 1] = words[i] end
  local before = call('HMGET', key, unpack(fields))
  if not is_writing then begin_to_write() end
  for i = 1, #fields do
    local amount = words[2 * i]
    if amount % 1 ~= 0 then error('not a whole number', 2) end
    words[2 * i] = spell((before[i] or 0) + amount)
  end
  note_names('HSET', key, fields, before)
  call('HSET', key, unpack(words))
  return tonumber(words[2])
end

-- Runs the verb, completely or not at all. An error carries the verb's name, as `VERB name: what`: see
-- scheduler/state/connection.py.
local function perform(name, verb)
  local done, answer = pcall(verb)
  if done then return answer end
  local function describe(raised) return type(raised) == 'table' and raised.err or tostring(raised) end
  local why = describe(answer)
  for i = #journal, 1, -1 do
    local undone, trouble = pcall(journal[i][1], journal[i])
    if not undone then why = why .. ' (a part of it stays written: ' .. describe(trouble) .. ')' end
  end
  return {err = 'VERB ' .. name .. ': ' .. why}
end
