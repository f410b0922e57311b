-- Reads a token that is neither revoked nor expired. Writes nothing.
-- Arguments: id.
-- Answers {digest, name, scope, user, when it expires or '', when it was made}, or {} if there is none.
local row = read('HMGET', PREFIX .. 'token:' .. ARGS[1], 'digest', 'name', 'scope', 'user', 'expires', 'made')
if not row[1] or (row[5] ~= '' and tonumber(row[5]) <= NOW) then return {} end
return row
