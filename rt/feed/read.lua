-- The head of a channel and what is kept after an offset, at one instant. One hash slot; writes nothing.
-- KEYS 1 meta hash (epoch, offset, term, from)
--      2 history (stream or list)
-- ARGV 1 "s" = stream, "l" = list
--      2 epoch that the client knows; empty = it asks for the head only
--      3 offset that the client has
--      4 bytes of a stream's events, about, after which no more of them are read; 0 = all
--      5 list: number of events that a client may ask for
-- Answers false = channel unknown, or not from where the client may ask (`from`): it must be refilled; else
-- {epoch, offset, entries}; entries as XRANGE or LRANGE give them (a list's are
-- newest first), and none when they cannot be complete: the caller's rule decides, this only spares the transfer.
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'from')
if not meta[1] then return false end
local missed = 0
if ARGV[2] == meta[1] then missed = tonumber(meta[2]) - tonumber(ARGV[3]) end
local entries = {}
if missed > 0 then
  if ARGV[1] == 's' then
    local from = string.format('%.0f-0', tonumber(ARGV[3]) + 1)
    local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
    if oldest and tonumber(string.match(oldest[1], '^%d+')) <= tonumber(ARGV[3]) + 1 then
      local bytes, bytes_max = 0, tonumber(ARGV[4])
      if bytes_max == 0 then return {meta[1], meta[2], redis.call('XRANGE', KEYS[2], from, '+')} end
      repeat
        local some = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', 32)
        for _, entry in ipairs(some) do
          entries[#entries + 1] = entry
          bytes = bytes + #entry[2][2]
        end
        if #some > 0 then from = '(' .. some[#some][1] end
      until #some < 32 or bytes >= bytes_max
    end
  elseif meta[3] and tonumber(ARGV[3]) + 1 < tonumber(meta[3]) and missed <= tonumber(ARGV[5]) then
    return false
  elseif missed <= redis.call('LLEN', KEYS[2]) then
    entries = redis.call('LRANGE', KEYS[2], 0, missed - 1)
  end
end
return {meta[1], meta[2], entries}
