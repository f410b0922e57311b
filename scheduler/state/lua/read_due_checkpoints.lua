-- Reads the checkpoints that have lived half their time and are still needed: by their own stage or by a child that is
-- unfinished and wanted. The others are left to expire.
-- Arguments: how many stages to look at.
-- Answers for each stage that needs them: the stage, the model, the seconds that they must live, the paths of the
-- newest checkpoint and of the one before, with the paths that those need.
local function must_live(id)
  if is_open(id) then return true end
  for _, child in ipairs(read('SMEMBERS', stage_key(id) .. ':children')) do
    if is_open(child) then return true end
  end
  return false
end

local found = {}
for _, id in ipairs(read('ZRANGEBYSCORE', PREFIX .. 'expiring', '-inf', NOW, 'LIMIT', 0, tonumber(ARGS[1]))) do
  local list = read_checkpoints(id)
  local newest = list[#list]
  if newest and to_number(newest.ttl_days) > 0 and must_live(id) then
    local row, named = {id, newest.model, tostring(math.floor(newest.ttl_days * 86400))}, {}
    for place = #list, math.max(1, #list - 1), -1 do
      for _, path in ipairs(list_paths(list[place])) do
        if not named[path] then row[#row + 1] = path end
        named[path] = true
      end
    end
    found[#found + 1] = row
  else
    write('ZREM', PREFIX .. 'expiring', id)
  end
end
return found
