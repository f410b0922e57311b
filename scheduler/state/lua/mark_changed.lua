-- Puts stages behind all others that are to be spread. Arguments: stages. Answers how many.
for _, id in ipairs(ARGS) do mark_changed(id) end
return #ARGS
