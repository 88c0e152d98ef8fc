-- A gateway says that it lives.
-- KEYS 1 gateways: gateway -> time (ms) of its last word; negative once it was given up
-- ARGV 1 gateway, 2 first: 1 where it has not been here before
-- Returns kept (0: it was given up or forgotten; it must take another name and write its members again),
-- Redis' time (ms), number of gateways.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = 1
if ARGV[2] ~= '1' then
  local last = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if not last or tonumber(last) <= 0 then
    kept = 0
  end
end
if kept == 1 then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
end
return {kept, now, redis.call('ZCARD', KEYS[1])}
