-- Takes away members whose time has passed.
-- KEYS 1-8: counts.lua
-- ARGV 1 term of the keeper, 2 most members to take (at most 100), 3 the time (ms) that it should be
--      4 how far from it (ms) is a jump
-- Returns how many were taken, the greatest lateness (ms), then user, state ... as apply.lua;
-- or -1 where a newer keeper is at work, -2 where it is another time than it should be.

if fenced(tonumber(ARGV[1])) then
  return -1
end
if doubted(ARGV[3], ARGV[4]) then
  return -2
end
local now = now_ms()
local late = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', 0, ARGV[2])
if #late == 0 then
  return {0, 0}
end
local connections, times = {}, {}
for i = 1, #late, 2 do
  connections[#connections + 1] = late[i]
  times[#times + 1] = tonumber(late[i + 1])
end
remove(connections, redis.call('HMGET', KEYS[2], unpack(connections)), times)
local answer = {#connections, now - times[1]}
for _, word in ipairs(transitions) do
  answer[#answer + 1] = word
end
return answer
