-- Deletes details of stages that ended before a time and that no unfinished sweep needs: their events, their curve or
-- the checkpoints that they have at the service.
-- Arguments: what ('events', 'curve' or 'checkpoints'), the time, stages.
-- Answers how many stages lost something.
local what, before = ARGS[1], tonumber(ARGS[2])

local function trim(id)
  local row = read('HMGET', stage_key(id), 'state', 'since')
  if not ENDED[row[1]] or to_number(row[2]) > before or is_needed(id) then return 0 end
  if what == 'events' then return write('HDEL', stage_key(id), 'events') end
  if what == 'curve' then return write('DEL', stage_key(id) .. ':curve') end
  return discard_all(id)
end

local count = 0
for i = 3, #ARGS do count = count + trim(ARGS[i]) end
return count
