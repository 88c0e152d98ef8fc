-- Appends consecutive events to a channel and publishes them, if they are the next ones. One hash slot.
-- KEYS 1 meta hash (epoch, offset, term, from)
--      2 history (stream or list)
-- ARGV 1 epoch
--      2 term of the caller's lease; 0 = a caller without one (a benchmark)
--      3 offset of the first event
--      4 "s" = stream, "l" = list
--      5 stream: lowest offset to keep; list: number of events to keep
--      6 seconds until the channel is forgotten; 0 = never
--      7 Pub/Sub channel
--      8 payload for it
--      9 "1" = a list that is not here begins with these events; `from` says that older ones are missing
--      10... bodies, oldest first
-- Answers -1 = done, -2 = a newer term has written here, else the offset that it expects (0 = channel or epoch
-- unknown).
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'term')
local term = tonumber(ARGV[2])
if term > 0 and tonumber(meta[3] or '0') > term then return -2 end
local first = tonumber(ARGV[3])
if not meta[1] and ARGV[9] == '1' and ARGV[4] == 'l' then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
  if first > 1 then redis.call('HSET', KEYS[1], 'from', ARGV[3]) end
elseif meta[1] ~= ARGV[1] then
  return 0
else
  local expected = tonumber(meta[2]) + 1
  if first ~= expected then return expected end
end

local last = first + #ARGV - 10
if ARGV[4] == 's' then
  for n = 10, #ARGV do
    redis.call('XADD', KEYS[2], string.format('%.0f-0', first + n - 10), 'e', ARGV[n])
  end
  redis.call('XTRIM', KEYS[2], 'MINID', ARGV[5] .. '-0')
else
  local size = 0
  for n = 10, #ARGV do
    size = redis.call('LPUSH', KEYS[2], string.format('%.0f ', first + n - 10) .. ARGV[n])
  end
  redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[5]) - 1)
  if size >= tonumber(ARGV[5]) then redis.call('HDEL', KEYS[1], 'from') end  -- nobody may ask for more
end
redis.call('HSET', KEYS[1], 'offset', string.format('%.0f', last))
if term > 0 then redis.call('HSET', KEYS[1], 'term', ARGV[2]) end
if ARGV[6] ~= '0' then
  redis.call('EXPIRE', KEYS[1], ARGV[6])
  redis.call('EXPIRE', KEYS[2], ARGV[6])
elseif first == 1 then
  redis.call('PERSIST', KEYS[1])  -- a channel without events is forgotten, one with events stays
end
redis.call('PUBLISH', ARGV[7], ARGV[8])
return -1
