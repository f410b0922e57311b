-- Marks stages as changed, behind all others that the tick has yet to spread.
-- Arguments: stages.
-- Answers how many.
for _, id in ipairs(ARGS) do mark_changed(id) end
return #ARGS
