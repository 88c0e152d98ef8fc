-- outside a transaction
-- An event is found by the id under which it is read: the owner's, which has the text, then whether followers have it.
CREATE INDEX CONCURRENTLY feed_positions_event ON feed_positions (event_id) WHERE source IS NULL;
CREATE INDEX CONCURRENTLY feed_positions_profile ON feed_positions (channel, event_id DESC)
 WHERE namespace = 'musclemap' AND starts_with(channel, 'profile:');
CREATE INDEX CONCURRENTLY stream_positions_event ON stream_positions (event_id);
