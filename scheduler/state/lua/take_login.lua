-- Uses up a login link, and writes it into the audit log.
-- Arguments: from where, the keyed hash of its secret.
-- Answers whom it logs in, or '' if it was used, has expired or never was.
local key = PREFIX .. 'login:' .. ARGS[2]
local who = read('GET', key)
if not who then return '' end
write('DEL', key)
audit(who, ARGS[1], 'login', who, 'by a link')
return who
