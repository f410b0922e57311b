-- Makes a token under a name that no other token has, and writes it into the audit log.
-- Arguments: who, from where, name, id, detail for the log, then fields and values of the token.
-- Answers 1, or 0 if the name is taken.
local name, id = ARGS[3], ARGS[4]
local known = read('HGET', PREFIX .. 'tokens', name)
if known then return known == id and 1 or 0 end
write('HSET', PREFIX .. 'tokens', name, id)
write('HSET', PREFIX .. 'token:' .. id, 'name', name, 'made', NOW, unpack(ARGS, 6))
audit(ARGS[1], ARGS[2], 'create token', name, ARGS[5])
return 1
