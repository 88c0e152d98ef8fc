-- Adds what was taken back to a set that gateways read, and tells them of what is new, in one message.
-- KEYS 1 sorted set (rt/wire/bus.py); its member `through` says until when PostgreSQL's are all in it
-- ARGV 1 NX: what is there keeps its score; GT: a greater score is new
--      2 score below which members are forgotten
--      3 Pub/Sub channel
--      4 the mark that the caller set in KEYS 1 before it read anything; empty = the call says nothing about `through`
--      5 what `through` becomes
--      6... member, score, member, score ...
-- Answers how many were new; -1 = the mark is gone, with what was added since (a wiped or older Redis): begin again.
local sids, members = {}, {}
for n = 6, #ARGV, 2 do
  if redis.call('ZADD', KEYS[1], ARGV[1], 'CH', ARGV[n + 1], ARGV[n]) == 1 then
    if string.sub(ARGV[n], 1, 4) == 'sid:' then
      sids[#sids + 1] = string.sub(ARGV[n], 5)
    else
      members[#members + 1] = {ARGV[n], ARGV[n + 1]}
    end
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2])
local message = {t = 'revoke'}
if #sids > 0 then message.sids = sids end
if #members > 0 then message.members = members end
if #sids + #members > 0 then redis.call('PUBLISH', ARGV[3], cjson.encode(message)) end
if ARGV[4] ~= '' then
  if redis.call('ZREM', KEYS[1], ARGV[4]) == 0 then return -1 end
  redis.call('ZADD', KEYS[1], ARGV[5], 'through')
end
return #sids + #members
