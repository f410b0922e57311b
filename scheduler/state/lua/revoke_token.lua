-- Forgets a token, so that it is refused from now on, and writes it into the audit log.
-- Arguments: who, from where, name.
-- Answers 1, or 0 if no token has this name.
local name = ARGS[3]
local id = read('HGET', PREFIX .. 'tokens', name)
if not id then return 0 end
write('DEL', PREFIX .. 'token:' .. id)
write('HDEL', PREFIX .. 'tokens', name)
audit(ARGS[1], ARGS[2], 'revoke token', name, '')
return 1
