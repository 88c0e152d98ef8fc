-- Stores the state of map tiles and tells every gateway what changed, in one step: who loads a tile afterwards has
-- the change, who loaded it before hears it.
-- KEYS 1 tiles: hash "resolution/tile" -> JSON {"version", "resolution", "cells"}; field `term` of the newest keeper
-- ARGV 1 term, 2 Pub/Sub channel, 3 payload (empty: nothing to tell), then field, JSON, ... (empty JSON: forget it)
-- Returns 1, or -1 where a newer keeper is at work.

local newest = tonumber(redis.call('HGET', KEYS[1], 'term') or 0)
if newest > tonumber(ARGV[1]) then
  return -1
end
if newest < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'term', ARGV[1])
end
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
if ARGV[3] ~= '' then
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return 1
