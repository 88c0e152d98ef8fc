-- Hands the cells whose counts changed to the aggregator, with their counts, and forgets that they changed.
-- KEYS 1-8: counts.lua
-- ARGV 1 term of the keeper, 2 most cells to take; 0: forget them all, everything is going to be read
-- Returns cell, users, settled users, cell, ... or -1 where a newer keeper is at work.

if fenced(tonumber(ARGV[1])) then
  return -1
end
if ARGV[2] == '0' then
  redis.call('UNLINK', KEYS[7])
  return {}
end
local cells = redis.call('SPOP', KEYS[7], ARGV[2])
if #cells == 0 then
  return cells
end
local users = redis.call('HMGET', KEYS[4], unpack(cells))
local settled = redis.call('HMGET', KEYS[5], unpack(cells))
local answer = {}
for i, cell in ipairs(cells) do
  answer[#answer + 1] = cell
  answer[#answer + 1] = users[i] or '0'
  answer[#answer + 1] = settled[i] or '0'
end
return answer
