-- Adds ended sessions to the set that gateways read, and tells them of those that are new, in one message.
-- KEYS 1 sorted set of revocations; its member `through` says until when PostgreSQL's are all in it
-- ARGV 1 now, unix seconds: the score of what is new (a gateway reads on from the newest score that it has seen)
--      2 unix seconds before which revocations are forgotten
--      3 Pub/Sub channel
--      4 the mark that the caller set in KEYS 1 before it read anything; empty = the call says nothing about `through`
--      5 what `through` becomes
--      6... ids of sessions
-- Answers how many were new; -1 = the mark is gone, with what was added since (a wiped or older Redis): begin again.
local new = {}
for n = 6, #ARGV do
  if redis.call('ZADD', KEYS[1], 'NX', ARGV[1], 'sid:' .. ARGV[n]) == 1 then new[#new + 1] = ARGV[n] end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2])
if #new > 0 then redis.call('PUBLISH', ARGV[3], cjson.encode({t = 'revoke', sids = new})) end
if ARGV[4] ~= '' then
  if redis.call('ZREM', KEYS[1], ARGV[4]) == 0 then return -1 end
  redis.call('ZADD', KEYS[1], ARGV[5], 'through')
end
return #new
