-- People: what they changed. Runs before every verb.

-- Writes a line of the audit log. `who` is a user, `from` where the call came from, `target` what was changed.
local function audit(who, from, what, target, detail)
  write('XADD', PREFIX .. 'audit', 'MAXLEN', '~', 10000, '*', 'at', NOW, 'who', who, 'from', from, 'what', what,
    'target', target, 'detail', detail)
end
