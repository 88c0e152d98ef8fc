-- The relay's statements. Offsets are given out here and nowhere else.

-- name: epoch
SELECT epoch FROM installation;

-- name: look_at_lease
-- $1 lease. Its holder, and whether its time is over; no row = nobody ever held it.
SELECT holder, until < clock_timestamp() AS over FROM leases WHERE name = $1;

-- name: take_lease
-- $1 lease, $2 who takes it, $3 seconds, $4 a holder that is known to be dead or the taker itself, else null.
-- No row = somebody else holds it.
INSERT INTO leases AS l (name, holder, term, until)
VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, term = l.term + 1, until = clock_timestamp() + make_interval(secs => $3)
WHERE l.until < clock_timestamp() OR l.holder = $4
RETURNING term;

-- name: renew_lease
-- $1 lease, $2 holder, $3 term, $4 seconds. No row = it was taken over.
UPDATE leases SET until = clock_timestamp() + make_interval(secs => $4)
WHERE name = $1 AND holder = $2 AND term = $3
RETURNING term;

-- name: release_lease
-- $1 lease, $2 holder, $3 term.
UPDATE leases SET until = clock_timestamp() - interval '1 second' WHERE name = $1 AND holder = $2 AND term = $3;

-- name: pending
SELECT EXISTS (SELECT FROM outbox);

-- name: plan_anew
-- For this transaction: statements are planned for what the tables hold now.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: claim
-- $1 lease, $2 holder, $3 term, $4 number of the oldest rows, $5 number of the newest that are looked at. The lease stays
-- locked to the end of the transaction: whoever takes it over waits, so a relay that was paused here cannot commit behind
-- its successor; the server ends the transaction of one that stays paused for 2 s. Nothing is claimed without the lease.
-- Of the newest come those before which nothing of the same person waits between the two ends: nobody waits behind the
-- events of others, and each person's keep their order.
WITH held AS MATERIALIZED (
  SELECT set_config('idle_in_transaction_session_timeout', '2s', true) FROM leases
  WHERE name = $1 AND holder = $2 AND term = $3 FOR UPDATE
), oldest AS MATERIALIZED (
  SELECT id FROM outbox WHERE EXISTS (SELECT FROM held) ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED
), newest AS MATERIALIZED (
  SELECT id, event #>> '{user,id}' AS person FROM outbox WHERE EXISTS (SELECT FROM held) ORDER BY id DESC LIMIT $5
), ends AS MATERIALIZED (
  SELECT (SELECT max(id) FROM oldest) AS first, (SELECT min(id) FROM newest) AS last
), overtaking AS (
  SELECT id FROM newest AS n CROSS JOIN ends AS e WHERE (  -- one look into the index for each; no join that reads all
    SELECT o.id FROM outbox AS o WHERE o.event #>> '{user,id}' = n.person AND o.id > e.first AND o.id < e.last
    ORDER BY o.id LIMIT 1) IS NULL
)
DELETE FROM outbox WHERE id = ANY (ARRAY(SELECT id FROM oldest UNION SELECT id FROM overtaking))
RETURNING id, event::text AS event, event_id, trace;

-- name: number
-- $1 namespaces, $2 channels, $3 event ids, $4 times, $5 bodies, or null for what followers hear of the row before, $6
-- whether the channel is a stream, $7 of an anonymous rendition its event: arrays of one length, in the order of the events.
-- The rows of feed_channels stay locked to the end of the transaction, so offsets are dense and in commit order.
WITH given AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[], $5::text[], $6::boolean[], $7::uuid[])
    WITH ORDINALITY AS g (namespace, channel, event_id, event_at, body, stream, source_event, n)
), counted AS (
  SELECT namespace, channel, count(*) AS size FROM given GROUP BY namespace, channel
), heads AS (
  INSERT INTO feed_channels AS c (namespace, channel, last_offset)
  SELECT namespace, channel, size FROM counted ORDER BY namespace, channel
  ON CONFLICT (namespace, channel) DO UPDATE SET last_offset = c.last_offset + excluded.last_offset
  RETURNING namespace, channel, last_offset, published_through
), numbered AS MATERIALIZED (
  SELECT g.*, h.last_offset - c.size + row_number() OVER (PARTITION BY namespace, channel ORDER BY g.n) AS "offset"
  FROM given AS g JOIN counted AS c USING (namespace, channel) JOIN heads AS h USING (namespace, channel)
), kept AS (
  INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, body, source)
  SELECT namespace, channel, "offset", event_id, event_at, body::json, CASE WHEN body IS NULL THEN before END
  FROM (SELECT *, lag("offset") OVER (ORDER BY n) AS before FROM numbered) AS g WHERE NOT stream
), streamed AS (
  INSERT INTO stream_positions (namespace, channel, "offset", event_id, event_at, numbered_at, body, source_event)
  SELECT namespace, channel, "offset", event_id, event_at, statement_timestamp(), body::json, source_event
    FROM numbered WHERE stream
)
SELECT namespace, channel, h.last_offset - c.size + 1 AS first, h.published_through
FROM counted AS c JOIN heads AS h USING (namespace, channel);

-- name: mark_published
-- $1 namespaces, $2 channels, $3 offsets: arrays of one length. A mark never goes back nor past the head.
UPDATE feed_channels AS c SET published_through = least(g.through, c.last_offset)
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS g (namespace, channel, through)
WHERE c.namespace = g.namespace AND c.channel = g.channel AND c.published_through < least(g.through, c.last_offset);

-- name: unpublished
-- $1 namespace and $2 channel of the last row of the page before, $3 channels that a page looks at. Those of them that
-- lack something, and the last one whatever it lacks: the next page begins behind it. No row = there are no more.
SELECT namespace, channel, behind FROM (
  SELECT namespace, channel, published_through < last_offset AS behind,
         lead(channel) OVER (ORDER BY namespace, channel) IS NULL AS ends
  FROM (SELECT * FROM feed_channels WHERE (namespace, channel) > ($1, $2) ORDER BY namespace, channel LIMIT $3) AS page
) AS looked WHERE behind OR ends ORDER BY namespace, channel;

-- name: streams
-- $1 namespace and $2 channel of the last row of the page before, $3 size of a page. The channels that Redis must have,
-- whoever asks for them: an app's is put back when somebody does.
SELECT namespace, channel FROM feed_channels
 WHERE namespace = 'musclemap' AND channel = 'community' AND ($1, $2) < ('musclemap', 'community') LIMIT $3;

-- name: heads
-- $1 namespaces, $2 channels: arrays of one length. A channel without an event has no row.
SELECT namespace, channel, last_offset, greatest(published_through, dropped_through) AS published, dropped_through
FROM feed_channels JOIN unnest($1::text[], $2::text[]) AS g (namespace, channel) USING (namespace, channel);

-- name: positions_after
-- $1 namespace, $2 channel of a stream, $3 offset, $4 most rows. What the release before stored lies in feed_positions.
-- Offsets are dense: both ends are known, so that no plan reads more.
SELECT "offset", body::text AS body, false AS derived FROM (
  SELECT "offset", body FROM stream_positions
   WHERE namespace = $1 AND channel = $2 AND "offset" > $3 AND "offset" <= $3 + $4
  UNION ALL
  SELECT "offset", body FROM feed_positions
   WHERE namespace = $1 AND channel = $2 AND "offset" > $3 AND "offset" <= $3 + $4
) AS p ORDER BY "offset";

-- name: missing_positions
-- $1 namespaces, $2 channels, $3 offsets: arrays of one length, $4 most rows of each: what came after those offsets.
-- `derived`: the body is the owner's, of which the followers' is made.
SELECT g.namespace, g.channel, p."offset", p.body::text AS body, p.derived
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS g (namespace, channel, after)
CROSS JOIN LATERAL (
  SELECT f."offset", coalesce(f.body, o.body) AS body, f.source IS NOT NULL AS derived
    FROM feed_positions AS f
    LEFT JOIN feed_positions AS o ON o.namespace = f.namespace AND o.channel = 'user:' || substr(f.channel, 9)
                                 AND o."offset" = f.source
   WHERE f.namespace = g.namespace AND f.channel = g.channel AND f."offset" > g.after AND f."offset" <= g.after + $4
  UNION ALL
  SELECT "offset", body, false FROM stream_positions AS s
   WHERE s.namespace = g.namespace AND s.channel = g.channel AND s."offset" > g.after AND s."offset" <= g.after + $4
) AS p
ORDER BY g.namespace, g.channel, p."offset";

-- name: newest_positions
-- $1 namespaces, $2 channels of persons: arrays of one length, $3 most rows of each. Head and rows of one instant.
SELECT c.namespace, c.channel, c.last_offset, c.published_through, p."offset", p.body::text AS body, p.derived
FROM unnest($1::text[], $2::text[]) AS g (namespace, channel)
JOIN feed_channels AS c USING (namespace, channel)
CROSS JOIN LATERAL (
  SELECT f."offset", coalesce(f.body, o.body) AS body, f.source IS NOT NULL AS derived
    FROM feed_positions AS f
    LEFT JOIN feed_positions AS o ON o.namespace = f.namespace AND o.channel = 'user:' || substr(f.channel, 9)
                                 AND o."offset" = f.source
   WHERE f.namespace = g.namespace AND f.channel = g.channel
     AND f."offset" > c.last_offset - $3 AND f."offset" <= c.last_offset) AS p
ORDER BY c.namespace, c.channel, p."offset";

-- name: stream_from
-- $1 namespace, $2 channel, $3 fewest rows, $4 least age in seconds, $5 most rows: the lowest offset that Redis must
-- keep. Times of the community are cut to the minute, so a minute is added.
SELECT greatest(1, max("offset") - $5 + 1, least(
         max("offset") - $3 + 1,
         coalesce(min("offset") FILTER (WHERE event_at > clock_timestamp() - make_interval(secs => $4 + 60)),
                  max("offset")))) AS first
FROM (
  SELECT p."offset", p.event_at FROM feed_channels AS c CROSS JOIN LATERAL (
    SELECT "offset", event_at FROM stream_positions
     WHERE namespace = c.namespace AND channel = c.channel AND "offset" > c.last_offset - $5
    UNION ALL
    SELECT "offset", event_at FROM feed_positions
     WHERE namespace = c.namespace AND channel = c.channel AND "offset" > c.last_offset - $5
  ) AS p WHERE c.namespace = $1 AND c.channel = $2 AND p."offset" > c.dropped_through
) AS newest;

-- name: outbox_depth
-- $1 most rows that are counted. Rows that wait, and the age of the oldest in seconds.
SELECT count(*) AS depth, coalesce(extract(epoch FROM clock_timestamp() - min(event_at)), 0)::float8 AS age_s
FROM (SELECT event_at FROM outbox ORDER BY id LIMIT $1) AS waiting;

-- name: audits
-- At most one row of each kind.
SELECT kind, findings, extract(epoch FROM clock_timestamp() - at)::float8 AS age_s FROM audits;

-- name: retain
-- To the end of the transaction nobody else drops anything, and audits wait with what they note.
SELECT pg_advisory_xact_lock(hashtext('musclemap.retention'));

-- name: windows_before
-- $1 days. The windows of the auditor in which something may lie that is older.
SELECT began, through FROM audit_windows
 WHERE began IS NULL OR began <= clock_timestamp() - make_interval(days => $1) ORDER BY through;

-- name: drop_events
-- $1 days, $2 most rows that lie in no month of their own, $3 windows of the auditor, $4 and $5 the ids between which
-- each counts. Events that were dropped; null = there is none.
SELECT drop_events($1, $2, $3, $4, $5);

-- name: drop_streams
-- $1 days, $2 how many of the newest stay whatever their age, $3 most rows that lie in no month of their own.
SELECT drop_streams($1, $2, $3);

-- name: drop_high_fives
-- $1 days, $2 most rows. High fives of what the community heard that is gone; null = there is none.
SELECT drop_high_fives($1, $2);

-- name: drop_expired_sessions
-- $1 days since they ended, $2 most rows. Their refresh tokens go with them.
WITH gone AS (
  DELETE FROM sessions WHERE id = ANY (ARRAY(
    SELECT id FROM sessions WHERE expires_at < clock_timestamp() - make_interval(days => $1)
     ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))
  RETURNING id
)
SELECT nullif(count(*), 0) FROM gone;

-- name: drop_ended_sessions
-- $1 days since they were ended, $2 most rows.
WITH gone AS (
  DELETE FROM sessions WHERE id = ANY (ARRAY(
    SELECT id FROM sessions WHERE revoked_at < clock_timestamp() - make_interval(days => $1)
     ORDER BY revoked_at LIMIT $2 FOR UPDATE SKIP LOCKED))
  RETURNING id
)
SELECT nullif(count(*), 0) FROM gone;

-- name: drop_ended_sessions_of_nobody
-- $1 days since they ended, $2 most rows. Of users who are gone: no token of theirs is left.
WITH gone AS (
  DELETE FROM ended_sessions WHERE id = ANY (ARRAY(
    SELECT id FROM ended_sessions WHERE ended_at < clock_timestamp() - make_interval(days => $1)
     ORDER BY ended_at LIMIT $2))
  RETURNING id
)
SELECT nullif(count(*), 0) FROM gone;

-- name: drop_proofs
-- $1 most rows. Links that are over, with their mails.
WITH gone AS (
  DELETE FROM proofs WHERE id = ANY (ARRAY(
    SELECT id FROM proofs WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
  RETURNING id
)
SELECT nullif(count(*), 0) FROM gone;

-- name: drop_job_runs
-- $1 days since their slot, $2 most rows.
WITH gone AS (
  DELETE FROM job_runs WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM job_runs WHERE slot < clock_timestamp() - make_interval(days => $1) LIMIT $2 FOR UPDATE SKIP LOCKED))
  RETURNING slot
)
SELECT nullif(count(*), 0) FROM gone;

-- name: drop_snapshots
-- $1 days since their Monday, $2 most rows.
WITH gone AS (
  DELETE FROM leaderboard_snapshots WHERE (week, board, place) IN (
    SELECT week, board, place FROM leaderboard_snapshots
     WHERE week < (clock_timestamp() AT TIME ZONE 'UTC')::date - $1::int ORDER BY week LIMIT $2)
  RETURNING week
)
SELECT nullif(count(*), 0) FROM gone;

-- name: drop_app_event_ids
-- $1 days since they were published, $2 most rows: an event that is sent again after that is a new one.
WITH gone AS (
  DELETE FROM app_event_ids WHERE (namespace, id) IN (
    SELECT namespace, id FROM app_event_ids WHERE at < clock_timestamp() - make_interval(days => $1)
     ORDER BY at LIMIT $2)
  RETURNING id
)
SELECT nullif(count(*), 0) FROM gone;

-- name: drop_ended_reads
-- $1 seconds since they were written, $2 most rows: no channel token is left that they void.
WITH gone AS (
  DELETE FROM ended_reads WHERE (owner_id, reader_id) IN (
    SELECT owner_id, reader_id FROM ended_reads WHERE ended_at < clock_timestamp() - make_interval(secs => $1)
     ORDER BY ended_at LIMIT $2)
    AND ended_at < clock_timestamp() - make_interval(secs => $1)  -- also where it was written again meanwhile
  RETURNING owner_id
)
SELECT nullif(count(*), 0) FROM gone;

-- name: oldest_kept
-- Seconds since the oldest event was recorded, the oldest position of the community was made, and the oldest session was
-- over; null where there is none.
SELECT 'activity_events' AS what, extract(epoch FROM clock_timestamp() - (
         SELECT created_at FROM activity_events ORDER BY id LIMIT 1))::float8 AS age_s
UNION ALL
SELECT 'stream_positions', extract(epoch FROM clock_timestamp() - (
         SELECT p.at FROM feed_channels AS c CROSS JOIN LATERAL (
           SELECT event_at AS at FROM stream_positions
            WHERE namespace = c.namespace AND channel = c.channel AND "offset" = c.dropped_through + 1
           UNION ALL
           SELECT event_at FROM feed_positions
            WHERE namespace = c.namespace AND channel = c.channel AND "offset" = c.dropped_through + 1
         ) AS p WHERE c.namespace = 'musclemap' AND c.channel = 'community' LIMIT 1))::float8
UNION ALL
SELECT 'sessions', extract(epoch FROM clock_timestamp() - (
         SELECT expires_at FROM sessions ORDER BY expires_at LIMIT 1))::float8;
