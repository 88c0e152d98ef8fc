-- outside a transaction
-- An event is found by the id under which it is read: the owner's, which has the text. Whether followers have it: 0022.
CREATE INDEX CONCURRENTLY feed_positions_event ON feed_positions (event_id) WHERE source IS NULL;
CREATE INDEX CONCURRENTLY stream_positions_event ON stream_positions (event_id);
