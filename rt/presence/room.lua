-- Who is in a channel of another app: changes, then whoever is over. A user is there while one connection is. One slot.
-- KEYS 1 sorted set: `user connection`, score = unix ms until when it counts
--      2 sorted set: user, score = connections that count
-- ARGV 1 Pub/Sub channel
--      2 ms that a member counts
--      3 ms that one counts whose socket has closed
--      4... `here`, `closing` or `gone`, user, connection; at most 100 of them
-- What others hear: `member {user} online` or `offline` (rt/wire/bus.py). Returns 1 where more may be over.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function take_away(member)
  if redis.call('ZREM', KEYS[1], member) == 0 then return end
  local user = string.match(member, '^%S+')
  if tonumber(redis.call('ZINCRBY', KEYS[2], -1, user)) <= 0 then
    redis.call('ZREM', KEYS[2], user)
    redis.call('PUBLISH', ARGV[1], 'member ' .. user .. ' offline')
  end
end

for n = 4, #ARGV, 3 do
  local user = ARGV[n + 1]
  local member = user .. ' ' .. ARGV[n + 2]
  if ARGV[n] == 'here' then
    if redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), member) == 1 then
      if tonumber(redis.call('ZINCRBY', KEYS[2], 1, user)) == 1 then
        redis.call('PUBLISH', ARGV[1], 'member ' .. user .. ' online')
      end
    end
  elseif ARGV[n] == 'closing' then
    redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now + tonumber(ARGV[3])), member)
  else
    take_away(member)
  end
end
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, 1000)
for _, member in ipairs(over) do
  take_away(member)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
redis.call('PEXPIRE', KEYS[2], ARGV[2] * 2)
return #over == 1000 and 1 or 0
