-- outside a transaction
-- The newest event of each whom somebody follows, in one look; without it a merged feed would read their histories.
-- And whether a profile has an event.
CREATE INDEX CONCURRENTLY feed_positions_profile ON feed_positions (channel, event_id DESC)
 WHERE namespace = 'musclemap' AND starts_with(channel, 'profile:');
-- What others are told of somebody, in their own feeds: few rows, found by whom they tell of (forget_in_feeds).
CREATE INDEX CONCURRENTLY feed_positions_others ON feed_positions ((body #>> '{actor,id}'))
 WHERE channel LIKE 'user:%' AND body #>> '{actor,id}' <> substr(channel, 6);
