-- outside a transaction
-- What 0010 promises of the rows that were there, looked at while everybody goes on.
ALTER TABLE feed_channels VALIDATE CONSTRAINT feed_channels_dropped;
ALTER TABLE feed_positions VALIDATE CONSTRAINT feed_positions_body;
