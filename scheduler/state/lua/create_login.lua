-- Notes a login link that can be used once, and writes it into the audit log.
-- Arguments: who, from where, the keyed hash of its secret, milliseconds for which it can be used.
-- Answers 1.
local key = PREFIX .. 'login:' .. ARGS[3]
write('SET', key, ARGS[1])
write('PEXPIRE', key, ARGS[4])
audit(ARGS[1], ARGS[2], 'create login', ARGS[1], '')
return 1
