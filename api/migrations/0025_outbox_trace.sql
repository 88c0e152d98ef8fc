-- Where a trace goes on that began with what caused the event (W3C's traceparent), said by the transaction; else null.
ALTER TABLE outbox ADD COLUMN trace text;
ALTER TABLE outbox ALTER COLUMN trace SET DEFAULT nullif(current_setting('musclemap.trace', true), '');
