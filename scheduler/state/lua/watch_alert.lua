-- Notes whether something is wrong that a person should know of, and notifies the fleet once when it has lasted for a
-- while, and once when it is over.
-- Arguments: the alert, 1 if it is wrong now or 0, milliseconds for which it must last first, the detail.
-- Answers 'begun' or 'over' if it notified, else ''.
local name, is_wrong, patience, detail = ARGS[1], ARGS[2] == '1', tonumber(ARGS[3]), ARGS[4]
local key = PREFIX .. 'alerts'
local text = read('HGET', key, name)
local row = text and cjson.decode(text)

local function tell(kind, words)
  write('XADD', PREFIX .. 'events', 'MAXLEN', '~', 1000, '*', 'at', NOW, 'from', '', 'to', '', 'detail',
    'alert ' .. kind .. ': ' .. words)
  notify_all(kind, words, name .. '|' .. row.since)
end

if not is_wrong then
  if not row then return '' end
  write('HDEL', key, name)
  if not row.told then return '' end
  local minutes = math.ceil((NOW - row.since) / 60000)
  tell('over', name .. ', after ' .. minutes .. (minutes == 1 and ' minute' or ' minutes'))
  return 'over'
end
if row and row.told then return '' end
row = row or {since = NOW}
row.told = NOW - row.since >= patience
row.detail = detail
write('HSET', key, name, cjson.encode(row))
if not row.told then return '' end
tell(name, detail)
return 'begun'
