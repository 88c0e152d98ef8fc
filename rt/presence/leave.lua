-- Takes members away at once.
-- KEYS 1-8: counts.lua
-- ARGV 1 term of the keeper that sweeps a lost gateway, or 0 (a client said `leave`: no fence)
--      2 gateway that they must belong to, or empty: any
--      then at most 100 connections
-- Returns user, state ... as apply.lua, or -1 where a newer keeper is at work.

local term = tonumber(ARGV[1])
if term > 0 and fenced(term) then
  return -1
end
local now = now_ms()
local asked = {unpack(ARGV, 3)}
local values = redis.call('HMGET', KEYS[2], unpack(asked))
local connections, theirs, times = {}, {}, {}
for i, connection in ipairs(asked) do
  local gateway = values[i] and string.match(values[i], '^%S+ (%S+)')
  if ARGV[2] == '' or gateway == ARGV[2] then
    connections[#connections + 1] = connection
    theirs[#theirs + 1] = values[i]
    times[#times + 1] = now
  end
end
remove(connections, theirs, times)
return transitions
