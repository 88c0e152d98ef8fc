-- Writes members: joins, moves, changes of state or audience. The same call twice has one effect.
-- KEYS 1-8: counts.lua
-- ARGV, for each of at most 100 members: connection, ttl (ms), value
-- Returns user, state, user, state ... of those whom followers now see otherwise.

local now = now_ms()
local size = #ARGV / 3
local connections, scores = {}, {}
for i = 1, size do
  local connection = ARGV[i * 3 - 2]
  connections[i] = connection
  scores[i * 2 - 1] = string.format('%.0f', now + tonumber(ARGV[i * 3 - 1]))
  scores[i * 2] = connection
end
local olds = redis.call('HMGET', KEYS[2], unpack(connections))
redis.call('ZADD', KEYS[1], unpack(scores))

local known, fresh, users, of_user = {}, {}, {}, {}
for i = 1, size do
  local connection, value = connections[i], ARGV[i * 3]
  if olds[i] ~= value or known[connection] then  -- twice in one call: the last one holds
    local user = string.match(value, '^%S+')
    if of_user[user] then
      table.insert(of_user[user], connection)
    else
      users[#users + 1] = user
      of_user[user] = {connection}
    end
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
  local added, record = of_user[user], records[i]
  local before = false
  local after, tail
  if not record and #added == 1 then  -- the common join: what the one value says is what the user counts for
    tail = added[1]
    after = string.match(known[tail], '^%S+ %S+ %d+ (.*)$')
  else
    local set, list = {}, {}
    if record then
      before, set, list = read_record(record)
    end
    for _, connection in ipairs(added) do
      if not set[connection] then
        set[connection] = true
        list[#list + 1] = connection
      end
    end
    after = derive(values_of(list, known))
    tail = table.concat(list, ' ')
  end
  written[i * 2 - 1] = user
  written[i * 2] = after .. ' ' .. tail
  change(user, before, after, now)
end
redis.call('HSET', KEYS[3], unpack(written))
write_counts()
return transitions
