-- Takes or renews the lease of the one keeper.
-- KEYS 1 lease: hash holder, term, until (ms)
-- ARGV 1 holder, 2 length of the lease (ms); 0 gives it back
-- Returns the term (Redis' clock in ms when it was taken, so that it grows although Redis was wiped), 0 where
-- another holds it; then Redis' time (ms).

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = redis.call('HMGET', KEYS[1], 'holder', 'term', 'until')
local mine = lease[1] == ARGV[1]
local length, left = tonumber(ARGV[2]), tonumber(lease[3] or 0) - now
-- One that ends later than a lease can is of a clock that was ahead: its holder may be long gone.
if lease[1] and not mine and left > 0 and (left <= length or length == 0) then
  return {0, now}
end
local term = tonumber(lease[2] or 0)
if not mine then
  term = math.max(term + 1, now)
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'term', string.format('%.0f', term),
  'until', string.format('%.0f', now + length))
return {term, now}
