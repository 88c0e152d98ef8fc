-- Operators. Each function answers only whoever has the role, by its row.

-- name: is_operator
-- $1 viewer
SELECT is_operator($1);

-- name: person_of
-- $1 viewer, $2 an address in lower case. The person's id, or null.
SELECT person_of($1, $2);

-- name: places
-- $1 viewer, $2 event as somebody reads it, $3 who did not get it. At most one row for each of three channels.
SELECT channel, "offset", at, type, published, may_read FROM event_places($1, $2, $3);

-- name: waiting
-- $1 viewer, $2 event or null, $3 most rows
SELECT waits, depth, oldest, clock_timestamp() AS now FROM events_waiting($1, $2, $3);

-- name: jobs
-- $1 viewer
SELECT job, finished, took_s, result, newest, done, failures, error FROM jobs_seen($1) ORDER BY job;
