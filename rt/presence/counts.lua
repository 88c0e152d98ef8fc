-- Prelude of every script that counts (rt/presence/store.py puts it, after clock.lua, in front of each).
-- What a user counts for is derived from their live connections and applied as a difference, so that the counts
-- always equal a recount. Packing of values and records: rt/presence/members.py.
-- KEYS of every script:
--   1 zset     connection -> time (ms) at which it stops counting
--   2 meta     connection -> "user gateway placed_at_ms cell flags"
--   3 users    user -> "cell flags connection connection ..."
--   4 bucket   cell -> distinct users, audience everyone
--   5 settled  cell -> those of them that are settled
--   6 totals   users, training: audience everyone, with or without a cell
--   7 dirty    cells whose counts changed since the aggregator looked
--   8 clock    newest (ms): the partition's clock never goes back; term: of the newest keeper

-- Whether a newer keeper has been here: one that was paused must change nothing when it wakes.
local function fenced(term)
  local newest = tonumber(redis.call('HGET', KEYS[8], 'term') or 0)
  if newest < term then
    redis.call('HSET', KEYS[8], 'term', string.format('%.0f', term))
  end
  return newest > term
end

-- What the values of one user's live connections come to: "cell flags".
local function derive(values)
  local cell, newest, state, audience, settled = '-', -1, 'o', 'e', 's'
  for _, value in ipairs(values) do
    local at, place, s, a, t = string.match(value, '^%S+ %S+ (%d+) (%S+) (.)(.)(.)$')
    at = tonumber(at)
    if place ~= '-' and (at > newest or (at == newest and place > cell)) then
      newest, cell = at, place
    end
    if s > state then state = s end
    if a > audience then audience = a end
    if t > settled then settled = t end
  end
  return cell .. ' ' .. state .. audience .. settled
end

local changed_bucket, changed_settled, changed_users, changed_training = {}, {}, 0, 0

-- A contribution is "cell flags"; cutting off its three letters is cheaper than a pattern.
local function count(contribution, by)
  if string.sub(contribution, -2, -2) ~= 'e' then
    return
  end
  local cell = string.sub(contribution, 1, -5)
  changed_users = changed_users + by
  if string.sub(contribution, -3, -3) == 't' then
    changed_training = changed_training + by
  end
  if cell ~= '-' then
    changed_bucket[cell] = (changed_bucket[cell] or 0) + by
    if string.sub(contribution, -1) == 's' then
      changed_settled[cell] = (changed_settled[cell] or 0) + by
    end
  end
end

local dirty, dirty_count = {}, 0

local function write_cells(key, changes)
  for cell, by in pairs(changes) do
    if by ~= 0 then
      if redis.call('HINCRBY', key, cell, by) == 0 then
        redis.call('HDEL', key, cell)
      end
      dirty_count = dirty_count + 1
      dirty[dirty_count] = cell
    end
  end
end

local function write_counts()
  write_cells(KEYS[4], changed_bucket)
  write_cells(KEYS[5], changed_settled)
  if dirty_count > 0 then
    redis.call('SADD', KEYS[7], unpack(dirty))
  end
  if changed_users ~= 0 then
    redis.call('HINCRBY', KEYS[6], 'users', changed_users)
  end
  if changed_training ~= 0 then
    redis.call('HINCRBY', KEYS[6], 'training', changed_training)
  end
end

-- What followers see of "cell flags" (false: no connection).
local function visible(contribution)
  if not contribution or string.sub(contribution, -2, -2) == 'n' then
    return 'offline'
  end
  return string.sub(contribution, -3, -3) == 't' and 'training' or 'online'
end

local transitions = {}

-- Applies the difference between two contributions of a user and announces it, once and in order, to the profile.
local function change(user, before, after, at)
  if before == after then
    return
  end
  if before then count(before, -1) end
  if after then count(after, 1) end
  local state = visible(after)
  if state ~= visible(before) then
    transitions[#transitions + 1] = user
    transitions[#transitions + 1] = state
    redis.call('PUBLISH', 'rt:{musclemap:profile:' .. user .. '}',
      'presence ' .. user .. ' ' .. state .. ' ' .. string.format('%.0f', at))
  end
end

-- The contribution and the set and list of connections in a record.
local function read_record(record)
  local contribution, rest = string.match(record, '^(%S+ %S+)(.*)$')
  local set, list = {}, {}
  for connection in string.gmatch(rest, '%S+') do
    set[connection] = true
    list[#list + 1] = connection
  end
  return contribution, set, list
end

-- The values of these connections that there are; `known` (connection -> value or false) spares reads.
local function values_of(connections, known)
  local values, asked = {}, {}
  for _, connection in ipairs(connections) do
    local value = known[connection]
    if value then
      values[#values + 1] = value
    elseif value == nil then
      asked[#asked + 1] = connection
    end
  end
  if #asked > 0 then
    for _, value in ipairs(redis.call('HMGET', KEYS[2], unpack(asked))) do
      if value then values[#values + 1] = value end
    end
  end
  return values
end

-- Takes connections away (`values`: theirs in `meta`, false where there is none; `times`: when each was last here).
local function remove(connections, values, times)
  local gone, users, last = {}, {}, {}
  for i, connection in ipairs(connections) do
    gone[connection] = false
    if values[i] then
      local user = string.match(values[i], '^%S+')
      if not last[user] then
        users[#users + 1] = user
      end
      last[user] = math.max(last[user] or 0, times[i])
    end
  end
  if #connections == 0 then
    return
  end
  redis.call('ZREM', KEYS[1], unpack(connections))
  redis.call('HDEL', KEYS[2], unpack(connections))
  if #users == 0 then
    return
  end
  local records = redis.call('HMGET', KEYS[3], unpack(users))
  local ended, written = {}, {}
  for i, user in ipairs(users) do
    if records[i] then
      local before, _, list = read_record(records[i])
      local left = {}
      for _, connection in ipairs(list) do
        if gone[connection] == nil then left[#left + 1] = connection end
      end
      if #left == 0 then
        ended[#ended + 1] = user
        change(user, before, false, last[user])
      else
        local after = derive(values_of(left, gone))
        written[#written + 1] = user
        written[#written + 1] = after .. ' ' .. table.concat(left, ' ')
        change(user, before, after, last[user])
      end
    end
  end
  if #ended > 0 then
    redis.call('HDEL', KEYS[3], unpack(ended))
  end
  if #written > 0 then
    redis.call('HSET', KEYS[3], unpack(written))
  end
  write_counts()
end
