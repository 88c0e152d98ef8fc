-- Keeps documents by their hashes: the newest ARGV[2], each for ARGV[3] seconds after it was kept last.
-- KEYS[1] hash of texts, KEYS[2] sorted set of the same names by when they were kept (unix seconds)
-- ARGV[1] now, ARGV[2] most documents, ARGV[3] seconds; then names and texts in turn
local now, most, kept_s = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
for n = 4, #ARGV, 2 do
  redis.call("HSET", KEYS[1], ARGV[n], ARGV[n + 1])
  redis.call("ZADD", KEYS[2], now, ARGV[n])
end

local function forget(names)
  for _, name in ipairs(names) do
    redis.call("HDEL", KEYS[1], name)
    redis.call("ZREM", KEYS[2], name)
  end
end

forget(redis.call("ZRANGEBYSCORE", KEYS[2], "-inf", now - kept_s, "LIMIT", 0, 100))
local over = redis.call("ZCARD", KEYS[2]) - most
if over > 0 then
  forget(redis.call("ZRANGE", KEYS[2], 0, over - 1))
end
redis.call("EXPIRE", KEYS[1], kept_s)
redis.call("EXPIRE", KEYS[2], kept_s)
return redis.call("ZCARD", KEYS[2])
