-- Sockets that closed without a word: their members count until now + grace, so that a reload is no departure.
-- KEYS 1-8: counts.lua
-- ARGV 1 grace (ms), then at most 100 connections

local score = string.format('%.0f', now_ms() + tonumber(ARGV[1]))
local scores = {}
for i = 2, #ARGV do
  scores[i * 2 - 3] = score
  scores[i * 2 - 2] = ARGV[i]
end
redis.call('ZADD', KEYS[1], 'XX', 'LT', unpack(scores))
return 0
