-- Signs of life: members count until now + ttl. Nothing but the score changes, and never to an earlier time.
-- KEYS 1-8: counts.lua
-- ARGV 1 ttl (ms), then at most 100 connections
-- Returns the connections that were not found: they must be applied again.

local score = string.format('%.0f', now_ms() + tonumber(ARGV[1]))
local scores = {}
for i = 2, #ARGV do
  scores[i * 2 - 3] = score
  scores[i * 2 - 2] = ARGV[i]
end
if redis.call('ZADD', KEYS[1], 'XX', 'GT', 'CH', unpack(scores)) == #ARGV - 1 then
  return {}
end
local missing = {}
local found = redis.call('ZMSCORE', KEYS[1], unpack(ARGV, 2))
for i = 2, #ARGV do
  if not found[i - 1] then
    missing[#missing + 1] = ARGV[i]
  end
end
return missing
