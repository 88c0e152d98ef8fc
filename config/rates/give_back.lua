-- Gives back what was taken and shall not count.
-- KEYS 1 hash of one limit (take.lua)
-- ARGV 1 the slot in which it was taken
--      2 how much
-- Answers what still counts in that slot.
local taken = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if taken <= tonumber(ARGV[2]) then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return 0
end
return redis.call('HINCRBY', KEYS[1], ARGV[1], -ARGV[2])
