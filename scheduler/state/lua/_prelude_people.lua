-- People: what they changed, and what they spend. Runs before every verb.
-- A user has budgets for a UTC day and month; all of his sweeps together reserve and spend within them.

-- Writes a line of the audit log. `who` is a user, `from` where the call came from, `target` what was changed.
local function audit(who, from, what, target, detail)
  write('XADD', PREFIX .. 'audit', 'MAXLEN', '~', 10000, '*', 'at', NOW, 'who', who, 'from', from, 'what', what,
    'target', target, 'detail', detail)
end

local function spending_key(user, month) return PREFIX .. 'spending:' .. user .. ':' .. month end

local function find_user(sweep)
  local user = read('HGET', sweep_key(sweep), 'user')
  return user and user ~= '' and user or nil
end

-- Answers the month of a day, such as 2026-11. Years begin in March here, so that a leap day is the last of its year.
local function find_month(day)
  local from_march = day + 719468
  local era = math.floor(from_march / 146097)
  local day_of_era = from_march - era * 146097
  local year_of_era = math.floor((day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524)
    - math.floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - 365 * year_of_era - math.floor(year_of_era / 4) + math.floor(year_of_era / 100)
  local place = math.floor((5 * day_of_year + 2) / 153)
  local month = place < 10 and place + 3 or place - 9
  return string.format('%04d-%02d', year_of_era + era * 400 + (month <= 2 and 1 or 0), month)
end

-- Charges an amount to the user of a sweep, as `book` does to the sweep.
local function charge_user(sweep, what, amount, day)
  local user = find_user(sweep)
  if not user then return end
  if what == 'reserved' then
    add(PREFIX .. 'user_reserved', user, amount)
  else
    add(spending_key(user, find_month(day)), what, amount, what .. ':' .. day, amount)
  end
end

-- Answers the budgets of the user of a sweep for a day and for a month (nil: none), and the user.
local function read_user_limits(sweep)
  local user = find_user(sweep)
  if not user then return nil, nil, nil end
  local limits = read('HMGET', PREFIX .. 'user_limits', 'day|' .. user, 'month|' .. user)
  return tonumber(limits[1]), tonumber(limits[2]), user
end

-- Answers the budget of the user of a sweep that has no room for an amount, or nil.
local function check_user_budget(sweep, amount)
  local day, month, user = read_user_limits(sweep)
  if not day and not month then return nil end
  local row = read('HMGET', spending_key(user, find_month(TODAY)), 'spent', 'unreconciled', 'spent:' .. TODAY,
    'unreconciled:' .. TODAY)
  local held = to_number(read('HGET', PREFIX .. 'user_reserved', user)) + amount
  if day and to_number(row[3]) + to_number(row[4]) + held > day then return 'user day budget' end
  return month and to_number(row[1]) + to_number(row[2]) + held > month and 'user month budget' or nil
end
