-- Sets the limits that the settings name and lifts those that they no longer name. What was concluded about pools
-- stays.
-- Arguments: what is limited (a lane, or 'day:' and a service), the number, …
-- Answers how many.
local limits = PREFIX .. 'limits'
local named = {}
for i = 1, #ARGS, 2 do named[ARGS[i]] = ARGS[i + 1] end
for _, name in ipairs(read('HKEYS', limits)) do
  if not named[name] and not string.find(name, '^[^/]+/[^/]+$') then write('HDEL', limits, name) end
end
for name, number in pairs(named) do write('HSET', limits, name, number) end
return #ARGS / 2
