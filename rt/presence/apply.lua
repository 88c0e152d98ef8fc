-- Writes members: joins, moves, changes of state or audience. The same call twice has one effect.
-- KEYS 1-8: counts.lua
-- ARGV, for each of at most 100 members: connection, ttl (ms), value
-- Returns user, state, user, state ... of those whom followers now see otherwise.

local now = now_ms()
local connections, scores = {}, {}
for i = 1, #ARGV, 3 do
  connections[#connections + 1] = ARGV[i]
  scores[#scores + 1] = string.format('%.0f', now + tonumber(ARGV[i + 1]))
  scores[#scores + 1] = ARGV[i]
end
local olds = redis.call('HMGET', KEYS[2], unpack(connections))
redis.call('ZADD', KEYS[1], unpack(scores))

local known, fresh, users, of_user = {}, {}, {}, {}
for i, connection in ipairs(connections) do
  local value = ARGV[i * 3]
  if olds[i] ~= value or known[connection] then  -- twice in one call: the last one holds
    local user = string.match(value, '^%S+')
    if not of_user[user] then
      users[#users + 1] = user
      of_user[user] = {}
    end
    table.insert(of_user[user], connection)
    fresh[#fresh + 1] = connection
    fresh[#fresh + 1] = value
  end
  known[connection] = value
end
if #fresh == 0 then
  return transitions
end

redis.call('HSET', KEYS[2], unpack(fresh))
local records = redis.call('HMGET', KEYS[3], unpack(users))
local written = {}
for i, user in ipairs(users) do
  local before, set, list = false, {}, {}
  if records[i] then
    before, set, list = read_record(records[i])
  end
  for _, connection in ipairs(of_user[user]) do
    if not set[connection] then
      set[connection] = true
      list[#list + 1] = connection
    end
  end
  local after = derive(values_of(list, known))
  written[#written + 1] = user
  written[#written + 1] = after .. ' ' .. table.concat(list, ' ')
  change(user, before, after, now)
end
redis.call('HSET', KEYS[3], unpack(written))
write_counts()
return transitions
