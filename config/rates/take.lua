-- Takes from several limits of one subject: from all, or from none. config/rates/rules.py has the rule.
-- KEYS 1... a hash for each limit: slot of time → what was taken in it; one hash slot
-- ARGV 1 slots of a window; then for each limit
--      2 the most that may be taken in a window
--      3 milliseconds of a slot
--      4 what is to be taken
-- Answers 1 = taken or 0 = refused; then for each limit what is left, milliseconds until there is more (or enough for
-- what was refused), and the slot of now.
local count = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limits, refused = {}, false
for n, key in ipairs(KEYS) do
  local one = {
    key = key, most = tonumber(ARGV[3 * n - 1]), slot_ms = tonumber(ARGV[3 * n]), amount = tonumber(ARGV[3 * n + 1]),
    used = 0, slots = {}, taken = {},
  }
  one.now = math.floor(now / one.slot_ms)
  local found = redis.call('HGETALL', key)
  for at = 1, #found, 2 do
    local slot = tonumber(found[at])
    if slot < one.now - count then
      redis.call('HDEL', key, found[at])
    else
      one.slots[#one.slots + 1] = slot
      one.taken[slot] = tonumber(found[at + 1])
      one.used = one.used + one.taken[slot]
    end
  end
  table.sort(one.slots)
  refused = refused or one.used + one.amount > one.most
  limits[n] = one
end
local answer = {refused and 0 or 1}
for _, one in ipairs(limits) do
  local wait, over = 0, one.used + one.amount - one.most
  if not refused then
    redis.call('HINCRBY', one.key, one.now, one.amount)
    redis.call('PEXPIRE', one.key, (count + 1) * one.slot_ms)
    one.used = one.used + one.amount
    wait = ((one.slots[1] or one.now) + count + 1) * one.slot_ms - now
  else
    for _, slot in ipairs(one.slots) do
      over = over - one.taken[slot]
      wait = (slot + count + 1) * one.slot_ms - now
      if over <= 0 then break end
    end
    if over > 0 then wait = (count + 1) * one.slot_ms end
  end
  answer[#answer + 1] = one.most - one.used
  answer[#answer + 1] = wait
  answer[#answer + 1] = one.now
end
return answer
