-- Repairs what a recount found. Counts are repaired by differences, which commute with what happens meanwhile;
-- records are derived again from the members that are there now.
-- KEYS 1-8: counts.lua
-- ARGV 1 term of the keeper, 2 number of corrections, then kind (b, s, t), field, difference, ... (at most 100)
--      then user, connections (with blanks between), ... whose records are to be derived again (at most 100)
-- Returns user, state ... as apply.lua, or -1 where a newer keeper is at work.

if fenced(tonumber(ARGV[1])) then
  return -1
end
local at = 3
for _ = 1, tonumber(ARGV[2]) do
  local kind, field, by = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  if kind == 't' then
    redis.call('HINCRBY', KEYS[6], field, by)
  else
    write_cells(kind == 'b' and KEYS[4] or KEYS[5], {[field] = by})
  end
  at = at + 3
end
local now = now_ms()
for i = at, #ARGV, 2 do
  local user, list, seen = ARGV[i], {}, {}
  local before = false
  local record = redis.call('HGET', KEYS[3], user)
  local candidates = ARGV[i + 1]
  if record then
    local contribution = read_record(record)
    before = contribution
    candidates = candidates .. ' ' .. string.match(record, '^%S+ %S+(.*)$')
  end
  local values = {}
  for connection in string.gmatch(candidates, '%S+') do
    local value = not seen[connection] and redis.call('HGET', KEYS[2], connection)
    seen[connection] = true
    if value and string.match(value, '^%S+') == user then
      list[#list + 1] = connection
      values[#values + 1] = value
      -- A member without a time would stay for ever: its time is now, and the reaper takes it unless it is touched.
      redis.call('ZADD', KEYS[1], 'NX', string.format('%.0f', now), connection)
    end
  end
  if #list == 0 then
    redis.call('HDEL', KEYS[3], user)
    change(user, before, false, now)
  else
    local after = derive(values)
    redis.call('HSET', KEYS[3], user, after .. ' ' .. table.concat(list, ' '))
    change(user, before, after, now)
  end
end
write_counts()
return transitions
