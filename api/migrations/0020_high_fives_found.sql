-- outside a transaction
-- An event is found by the id under which it is read.
CREATE INDEX CONCURRENTLY feed_positions_event ON feed_positions (event_id);
CREATE INDEX CONCURRENTLY stream_positions_event ON stream_positions (event_id);
