-- Caps the lanes that a setting names, and no others any more. Arguments: lane, slots, lane, slots, …
local limits = PREFIX .. 'limits'
local capped = {}
for i = 1, #ARGS, 2 do capped[ARGS[i]] = ARGS[i + 1] end
for _, name in ipairs(redis.call('HKEYS', limits)) do
  if string.find(name, '^[^/]+/[^/]+/') and not capped[name] then redis.call('HDEL', limits, name) end
end
for lane, slots in pairs(capped) do redis.call('HSET', limits, lane, slots) end
return 1
