-- Replaces a channel by what PostgreSQL says, in parts: each call adds to a new history, the last one puts it in place.
-- One hash slot. Readers see the old channel or the new one, nothing between.
-- KEYS 1 meta hash (epoch, offset, term)
--      2 history (stream or list)
--      3 the new history while it is being built
-- ARGV 1 epoch
--      2 term of the caller's lease; 0 = a caller without one (a benchmark)
--      3 offset of the newest event; 0 = none yet
--      4 "s" = stream, "l" = list
--      5 "1" = first part: forget an unfinished earlier attempt
--      6 "1" = last part: put it in place
--      7 seconds until the channel is forgotten; 0 = never
--      8... offset, body, offset, body, oldest first
-- Answers -1 = done, -2 = a newer term has written here.
local term = tonumber(ARGV[2])
if term > 0 and tonumber(redis.call('HGET', KEYS[1], 'term') or '0') > term then return -2 end
if ARGV[5] == '1' then redis.call('DEL', KEYS[3]) end
for n = 8, #ARGV, 2 do
  if ARGV[4] == 's' then
    redis.call('XADD', KEYS[3], ARGV[n] .. '-0', 'e', ARGV[n + 1])
  else
    redis.call('LPUSH', KEYS[3], ARGV[n] .. ' ' .. ARGV[n + 1])
  end
end
if ARGV[6] ~= '1' then
  redis.call('EXPIRE', KEYS[3], 60)
  return -1
end
redis.call('DEL', KEYS[1], KEYS[2])
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('PERSIST', KEYS[3])
  redis.call('RENAME', KEYS[3], KEYS[2])
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'offset', ARGV[3], 'term', ARGV[2])
if ARGV[7] ~= '0' then
  redis.call('EXPIRE', KEYS[1], ARGV[7])
  redis.call('EXPIRE', KEYS[2], ARGV[7])
end
return -1
