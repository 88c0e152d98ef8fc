-- Gives up the gateways whose last word is too old. They stay in the set, marked, until their members are taken, so
-- that a keeper which dies in between leaves the rest to the next one.
-- KEYS 1 gateways: gateway -> time (ms) of its last word; negative once it was given up
-- ARGV 1 lateness (ms) from which a gateway is given up, 2 most to answer, 3 the time (ms) that it should be
--      4 how far from it (ms) is a jump
-- Returns gateway, ms since its last word, gateway ... of those that are given up; or -2 where it is another time than
-- it should be (clock.lua, `doubted`).

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if math.abs(now - tonumber(ARGV[3])) > tonumber(ARGV[4]) then
  return -2
end
local before = string.format('%.0f', now - tonumber(ARGV[1]))
local late = redis.call('ZRANGEBYSCORE', KEYS[1], 0, before, 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #late, 2 do
  redis.call('ZADD', KEYS[1], string.format('-%.0f', math.max(tonumber(late[i + 1]), 1)), late[i])
end
local answer = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(0', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 2, #answer, 2 do
  answer[i] = string.format('%.0f', now + tonumber(answer[i]))
end
return answer
