-- Prelude of every script on one presence partition: its clock.
-- KEYS of every script: counts.lua

-- Whether this is not the time that a keeper expects: another server answers than the one that it asked last, or the
-- clock was set. The guard that looks once a second would be late: what is overdue by such a clock is taken at once.
local function doubted(expected_ms, jump_ms)
  local time = redis.call('TIME')
  return math.abs(time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(expected_ms)) > tonumber(jump_ms)
end

-- Redis' time (ms), never earlier than what this partition has seen.
local function now_ms()
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local newest = tonumber(redis.call('HGET', KEYS[8], 'newest') or 0)
  if newest >= now then
    return newest
  end
  redis.call('HSET', KEYS[8], 'newest', string.format('%.0f', now))
  return now
end

