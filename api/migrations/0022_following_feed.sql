-- outside a transaction
-- The newest event of each whom somebody follows, in one look; without it a merged feed would read their histories.
CREATE INDEX CONCURRENTLY feed_positions_profile ON feed_positions (channel, event_id DESC)
 WHERE namespace = 'musclemap' AND starts_with(channel, 'profile:');
