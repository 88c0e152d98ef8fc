-- What must hold of the rows of a window; the checks of audit.sql, by indexes, so that an audit costs what came since the
-- one before. Each returns the rows that break it: `subject` (an id) and `detail`.
-- $1 number of rows that are enough, $2 and $3 the lowest ids of the window and behind it (ids begin with their time),
-- $4 and $5 the same as times.

-- name: prepare
-- For this transaction: plans are made for this window and not for any, and stay with the indexes.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('statement_timeout', '300s', true);

-- name: unbalanced_transaction
SELECT t.id::text AS subject, format('%s entries, sum %s', count(e.amount), coalesce(sum(e.amount), 0)) AS detail
  FROM ledger_transactions AS t LEFT JOIN ledger_entries AS e ON e.transaction_id = t.id
 WHERE t.id >= $2 AND t.id < $3 AND $4::timestamptz < $5::timestamptz
 GROUP BY t.id HAVING count(e.amount) < 2 OR sum(e.amount) <> 0
 LIMIT $1;

-- name: orphan_entry
SELECT e.transaction_id::text AS subject, format('entry of account %s', e.account_id) AS detail
  FROM ledger_entries AS e
  LEFT JOIN ledger_transactions AS t ON t.id = e.transaction_id
  LEFT JOIN accounts AS a ON a.id = e.account_id
 WHERE e.transaction_id >= $2 AND e.transaction_id < $3 AND $4::timestamptz < $5::timestamptz
   AND (t.id IS NULL OR a.id IS NULL OR (a.kind = 'user') <> (e.version IS NOT NULL))
 LIMIT $1;

-- name: broken_chain
-- Each entry follows from the one before, and another or the balance follows from it.
SELECT e.account_id::text AS subject, format('version %s, balance after %s', e.version, e.balance_after) AS detail
  FROM ledger_entries AS e
  LEFT JOIN credit_balances AS b ON b.account_id = e.account_id
  LEFT JOIN ledger_entries AS before ON before.account_id = e.account_id AND before.version = e.version - 1
  LEFT JOIN ledger_entries AS after ON after.account_id = e.account_id AND after.version = e.version + 1
 WHERE e.transaction_id >= $2 AND e.transaction_id < $3 AND $4::timestamptz < $5::timestamptz AND e.version IS NOT NULL
   AND ((e.version > 1 AND before.version IS NULL)
        OR e.balance_after <> coalesce(before.balance_after, 0) + e.amount
        OR b.version IS NULL OR (after.version IS NULL) <> (b.version = e.version)
        OR (b.version = e.version AND b.credits <> e.balance_after))
 LIMIT $1;

-- name: account_without_balance
SELECT a.id::text AS subject, 'no balance row' AS detail
  FROM accounts AS a LEFT JOIN credit_balances AS b ON b.account_id = a.id
 WHERE a.id >= $2 AND a.id < $3 AND $4::timestamptz < $5::timestamptz AND a.kind = 'user' AND b.account_id IS NULL
 LIMIT $1;

-- name: wrong_charge
SELECT w.id::text AS subject, format('charged %s, booked %s', w.charged, coalesce(-sum(e.amount), 0)) AS detail
  FROM workouts AS w
  LEFT JOIN ledger_transactions AS t ON t.workout_id = w.id
  LEFT JOIN ledger_entries AS e ON e.transaction_id = t.id AND e.account_id = w.account_id
 WHERE w.id >= $2 AND w.id < $3 AND $4::timestamptz < $5::timestamptz
 GROUP BY w.id HAVING count(DISTINCT t.id) <> CASE WHEN w.charged > 0 THEN 1 ELSE 0 END
                   OR coalesce(-sum(e.amount), 0) <> w.charged
 LIMIT $1;

-- name: charge_without_workout
SELECT t.id::text AS subject, format('workout %s', t.workout_id) AS detail
  FROM ledger_transactions AS t LEFT JOIN workouts AS w ON w.id = t.workout_id
 WHERE t.id >= $2 AND t.id < $3 AND $4::timestamptz < $5::timestamptz AND t.workout_id IS NOT NULL AND w.id IS NULL
 LIMIT $1;

-- name: wrong_claim
SELECT c.source AS subject,
       format('%s wanted %s, booked %s in %s steps, in the books %s in %s', c.reason, c.wanted, c.booked, c.steps, m.moved,
              m.steps) AS detail
  FROM credit_claims AS c
  LEFT JOIN credit_balances AS b ON b.account_id = c.account_id
 CROSS JOIN LATERAL (  -- by the index of sources, then by the transaction
    SELECT coalesce(sum(e.amount), 0) AS moved, count(e.amount) AS steps
      FROM (SELECT id FROM ledger_transactions
             WHERE source = c.source AND reason = c.reason AND account_id = c.account_id OFFSET 0) AS t
     CROSS JOIN LATERAL (SELECT amount FROM ledger_entries
                          WHERE transaction_id = t.id AND account_id = c.account_id OFFSET 0) AS e
  ) AS m
 WHERE c.updated_at >= $4 AND c.updated_at < $5 AND $2::uuid < $3::uuid
   AND (m.moved <> c.booked OR m.steps <> c.steps
        OR (c.wanted < c.booked AND b.credits > 0) OR (c.wanted > c.booked AND b.credits < 2147483647))
 LIMIT $1;

-- name: movement_without_claim
SELECT t.id::text AS subject, format('%s of %s', t.reason, t.source) AS detail
  FROM ledger_transactions AS t
  LEFT JOIN credit_claims AS c ON c.account_id = t.account_id AND c.reason = t.reason AND c.source = t.source
 WHERE t.id >= $2 AND t.id < $3 AND $4::timestamptz < $5::timestamptz
   AND ((t.source IS NOT NULL AND c.source IS NULL)
        OR (t.reason IN ('purchase', 'refund', 'grant')) <> (t.source IS NOT NULL))
 LIMIT $1;

-- name: wrong_purchase
-- Of sessions of which something was told or claimed.
WITH looked AS MATERIALIZED (
  SELECT session FROM purchases WHERE updated_at >= $4 AND updated_at < $5 AND $2::uuid < $3::uuid
  UNION SELECT p.session FROM payment_refunds AS r JOIN purchases AS p ON p.payment = r.payment
         WHERE r.updated_at >= $4 AND r.updated_at < $5
  UNION SELECT source FROM credit_claims WHERE updated_at >= $4 AND updated_at < $5 AND reason <> 'grant'
)
SELECT l.session AS subject,
       format('%s for %s, %s of it back; claimed %s', p.credits, p.account_id, r.back, c.wants) AS detail
  FROM looked AS l
  LEFT JOIN purchases AS p ON p.session = l.session
 CROSS JOIN LATERAL (
    SELECT least(coalesce(sum(p.credits * refunded / amount), 0), p.credits)::bigint AS back
      FROM payment_refunds WHERE payment = p.payment
  ) AS r
 CROSS JOIN LATERAL (
    SELECT string_agg(format('%s %s for %s', reason, wanted, account_id), ', ') AS wants,
           sum(wanted) FILTER (WHERE reason = 'purchase')::bigint AS bought,
           sum(wanted) FILTER (WHERE reason = 'refund')::bigint AS back,
           array_agg(DISTINCT account_id) FILTER (WHERE wanted <> 0) AS accounts
      FROM credit_claims WHERE source = l.session
  ) AS c
 WHERE p.session IS NULL OR c.bought IS NULL OR c.bought <> p.credits OR c.back <> -r.back
    OR c.accounts <> ARRAY[p.account_id]
 LIMIT $1;

-- name: wrong_grant
SELECT coalesce(c.source, a.id::text) AS subject,
       format('claimed %s, granted %s', c.wanted, a.arguments ->> 'credits') AS detail
  FROM (SELECT * FROM credit_claims WHERE updated_at >= $4 AND updated_at < $5 AND reason = 'grant') AS c
  LEFT JOIN admin_actions AS a ON a.id::text = c.source AND a.action = 'grant'
 WHERE a.id IS NULL OR a.account_id <> c.account_id OR (a.arguments ->> 'credits')::bigint <> c.wanted
UNION ALL
SELECT a.id::text, 'granted, not claimed'
  FROM admin_actions AS a
  LEFT JOIN credit_claims AS c ON c.account_id = a.account_id AND c.reason = 'grant' AND c.source = a.id::text
 WHERE a.id >= $2 AND a.id < $3 AND a.action = 'grant' AND c.source IS NULL
 LIMIT $1;

-- name: wrong_subscription
-- Of people of whose subscriptions something was told.
WITH looked AS MATERIALIZED (
  SELECT coalesce(s.account_id, c.account_id) AS account_id
    FROM subscriptions AS s LEFT JOIN payment_customers AS c ON c.customer = s.customer
   WHERE s.updated_at >= $4 AND s.updated_at < $5 AND $2::uuid < $3::uuid
  UNION SELECT account_id FROM payment_customers WHERE updated_at >= $4 AND updated_at < $5
)
SELECT u.id::text AS subject, format('until %s, by subscriptions %s', u.subscribed_until, s.until) AS detail
  FROM looked AS l
  JOIN users AS u ON u.account_id = l.account_id
 CROSS JOIN LATERAL (
    SELECT max(CASE WHEN x.extends THEN greatest(x.until, x.paid_until) ELSE x.until END) AS until
      FROM (SELECT * FROM subscriptions WHERE account_id = l.account_id
            UNION ALL
            SELECT s.* FROM payment_customers AS c JOIN subscriptions AS s ON s.customer = c.customer
             WHERE c.account_id = l.account_id AND s.account_id IS NULL) AS x
  ) AS s
 WHERE s.until IS DISTINCT FROM u.subscribed_until
 LIMIT $1;

-- name: workout_in_parts
SELECT w.id::text AS subject, 'no exercise or no muscle' AS detail
  FROM workouts AS w
 WHERE w.id >= $2 AND w.id < $3 AND $4::timestamptz < $5::timestamptz
   AND (NOT EXISTS (SELECT FROM workout_exercises AS e WHERE e.workout_id = w.id)
        OR NOT EXISTS (SELECT FROM workout_muscles AS m WHERE m.workout_id = w.id))
 LIMIT $1;

-- name: orphan_part
SELECT p.workout_id::text AS subject, 'part of no workout, or of nothing that is known' AS detail
  FROM (
    SELECT e.workout_id, x.id FROM workout_exercises AS e LEFT JOIN exercises AS x ON x.id = e.exercise_id
     WHERE e.workout_id >= $2 AND e.workout_id < $3
    UNION ALL
    SELECT m.workout_id, x.id FROM workout_muscles AS m LEFT JOIN muscles AS x ON x.id = m.muscle_id
     WHERE m.workout_id >= $2 AND m.workout_id < $3
  ) AS p LEFT JOIN workouts AS w ON w.id = p.workout_id
 WHERE $4::timestamptz < $5::timestamptz AND (p.id IS NULL OR w.id IS NULL)
 LIMIT $1;

-- name: workout_without_event
SELECT w.id::text AS subject, format('%s events', count(e.id)) AS detail
  FROM workouts AS w
  LEFT JOIN activity_events AS e ON e.account_id = w.account_id AND e.created_at = w.created_at
   AND e.type = 'workout_completed' AND e.data ->> 'workout_id' = w.id::text
 WHERE w.id >= $2 AND w.id < $3 AND $4::timestamptz < $5::timestamptz
   AND w.created_at >= (SELECT through FROM retention WHERE what = 'activity_events')
 GROUP BY w.id HAVING count(e.id) <> 1
 LIMIT $1;

-- name: lost_event
-- An event waits in the outbox, or is among the newest of its owner's feed: as many as came since, and a few whose
-- order there is another.
WITH told AS MATERIALIZED (
  SELECT e.id, e.namespace, u.id AS user_id, u.account_id
    FROM activity_events AS e JOIN users AS u ON u.account_id = e.account_id
   WHERE e.id >= $2 AND e.id < $3 AND $4::timestamptz < $5::timestamptz
), people AS MATERIALIZED (
  SELECT t.namespace, t.user_id,
         (SELECT count(*) FROM activity_events AS e
           WHERE e.account_id = t.account_id AND e.created_at >= $4::timestamptz - interval '1 hour') AS since
    FROM (SELECT DISTINCT namespace, user_id, account_id FROM told) AS t
), newest AS MATERIALIZED (
  SELECT x.namespace, x.user_id, p.event_id
    FROM people AS x
    JOIN feed_channels AS c ON c.namespace = x.namespace AND c.channel = 'user:' || x.user_id
   CROSS JOIN LATERAL (  -- one range of the index for each channel
     SELECT event_id FROM feed_positions
      WHERE namespace = c.namespace AND channel = c.channel AND "offset" > c.last_offset - x.since - 50
     OFFSET 0
   ) AS p
)
SELECT t.id::text AS subject,
       format('%s in the outbox, %s in the feed of the owner', count(DISTINCT o.id), count(DISTINCT n.event_id)) AS detail
  FROM told AS t
  LEFT JOIN outbox AS o ON o.event_id = t.id
  LEFT JOIN newest AS n ON n.namespace = t.namespace AND n.user_id = t.user_id AND n.event_id = t.id
 GROUP BY t.id HAVING count(DISTINCT o.id) + count(n.event_id) <> 1
 LIMIT $1;

-- name: unknown_outbox_row
-- What other apps publish is not recorded beside its stream.
SELECT o.event_id::text AS subject, 'in the outbox, but no event' AS detail
  FROM outbox AS o LEFT JOIN activity_events AS e ON e.id = o.event_id AND e.created_at = o.event_at
 WHERE o.event_id >= $2 AND o.event_id < $3 AND $4::timestamptz < $5::timestamptz
   AND o.namespace = 'musclemap' AND e.id IS NULL
 LIMIT $1;

-- name: feed_with_holes
-- The newest of each feed that the window's people and the community have, as many as came since, and a few more.
WITH people AS MATERIALIZED (
  SELECT u.id AS user_id, count(*) AS since
    FROM activity_events AS e JOIN users AS u ON u.account_id = e.account_id
   WHERE e.id >= $2 AND $2::uuid < $3::uuid AND $4::timestamptz < $5::timestamptz
   GROUP BY u.id
), looked AS MATERIALIZED (
  SELECT kind || ':' || user_id AS channel, since + 50 AS most FROM people, unnest('{user,profile}'::text[]) AS kind
  UNION ALL SELECT 'community', coalesce(sum(since), 0)::bigint + 50 FROM people
)
SELECT c.namespace || ':' || c.channel AS subject,
       format('head %s, dropped through %s, %s of the newest %s positions', c.last_offset, c.dropped_through, p.size,
              least(l.most, c.last_offset)) AS detail
  FROM looked AS l
  JOIN feed_channels AS c ON c.namespace = 'musclemap' AND c.channel = l.channel
 CROSS JOIN LATERAL (  -- one range of the index for each channel
    SELECT count(*) AS size, max("offset") AS newest
      FROM (SELECT "offset" FROM feed_positions
             WHERE namespace = c.namespace AND channel = c.channel
               AND "offset" > greatest(c.last_offset - l.most, c.dropped_through)
            UNION ALL
            SELECT "offset" FROM stream_positions
             WHERE namespace = c.namespace AND channel = c.channel AND l.channel = 'community'
               AND "offset" > greatest(c.last_offset - l.most, c.dropped_through)) AS n
  ) AS p
 WHERE p.size <> least(l.most, c.last_offset - c.dropped_through)
    OR coalesce(p.newest, c.dropped_through) <> c.last_offset
 LIMIT $1;

-- name: position_without_body
-- Of the window's people, among the newest of their followers' feed.
WITH people AS MATERIALIZED (
  SELECT 'profile:' || u.id AS channel, count(*) AS since
    FROM activity_events AS e JOIN users AS u ON u.account_id = e.account_id
   WHERE e.id >= $2 AND $2::uuid < $3::uuid AND $4::timestamptz < $5::timestamptz
   GROUP BY u.id
)
SELECT f.channel || ' ' || f."offset" AS subject, format('refers to %s of the owner', f.source) AS detail
  FROM people AS l
  JOIN feed_channels AS c ON c.namespace = 'musclemap' AND c.channel = l.channel
 CROSS JOIN LATERAL (
    SELECT namespace, channel, "offset", event_id, source FROM feed_positions
     WHERE namespace = c.namespace AND channel = c.channel AND "offset" > c.last_offset - l.since - 50
    OFFSET 0
  ) AS f
  LEFT JOIN feed_positions AS o ON o.namespace = f.namespace AND o.channel = 'user:' || substr(f.channel, 9)
                               AND o."offset" = f.source AND o.body IS NOT NULL
 WHERE f.source IS NOT NULL AND (o.event_id IS NULL OR o.event_id <> f.event_id)
 LIMIT $1;

-- name: dropped_too_much
-- Something that a term had not reached, or the newest of the community.
SELECT what AS subject, format('dropped through %s at %s, by a term of %s days', through, at, days) AS detail
  FROM retention
 WHERE through > at - make_interval(days => days) AND $2::uuid < $3::uuid AND $4::timestamptz < $5::timestamptz
UNION ALL
SELECT namespace || ':' || channel, format('dropped through %s of %s', dropped_through, last_offset)
  FROM feed_channels
 WHERE namespace = 'musclemap' AND channel = 'community' AND dropped_through > 0 AND dropped_through > last_offset - 1000
 LIMIT $1;

-- name: wrong_day
-- Of the dates that the window's workouts fall on. No date is further than a day from that of UTC.
WITH days AS MATERIALIZED (
  SELECT DISTINCT w.user_id, w.local_date FROM workouts AS w JOIN users AS u ON u.id = w.user_id
   WHERE w.id >= $2 AND w.id < $3 AND $4::timestamptz < $5::timestamptz
)
SELECT x.user_id || ' ' || x.local_date AS subject,
       format('%s workouts, %s XP, %s units; of workouts %s, %s, %s', d.workouts, d.xp, d.volume, w.workouts,
              least(600, w.worth), w.volume) AS detail
  FROM days AS x
  LEFT JOIN training_days AS d ON d.user_id = x.user_id AND d.local_date = x.local_date
 CROSS JOIN LATERAL (
    SELECT count(*) AS workouts, sum(least(200, 10 + floor(total_tu / 50))) AS worth,
           sum(round(total_tu * 1024) / 1024) AS volume
      FROM workouts
     WHERE user_id = x.user_id AND local_date = x.local_date
       AND performed_at >= x.local_date - interval '1 day' AND performed_at < x.local_date + interval '2 days'
  ) AS w
 WHERE (d.workouts, d.xp, d.worth, d.volume) IS DISTINCT FROM (w.workouts, least(600, w.worth), w.worth, w.volume)
 LIMIT $1;

-- name: wrong_progress
-- Of the window's people.
WITH people AS MATERIALIZED (
  SELECT DISTINCT w.user_id FROM workouts AS w JOIN users AS u ON u.id = w.user_id
   WHERE w.id >= $2 AND w.id < $3 AND $4::timestamptz < $5::timestamptz
)
SELECT x.user_id::text AS subject,
       format('%s XP, level %s, %s workouts, %s units, %s challenges; of days %s XP, %s, %s, of challenges %s XP, %s', p.xp,
              p.level, p.workouts, p.volume, p.challenges, d.xp, d.workouts, d.volume, c.xp, c.completed) AS detail
  FROM people AS x
  LEFT JOIN progress AS p ON p.user_id = x.user_id
 CROSS JOIN LATERAL (SELECT coalesce(sum(xp), 0) AS xp, coalesce(sum(workouts), 0) AS workouts,
                            coalesce(sum(volume), 0) AS volume FROM training_days WHERE user_id = x.user_id) AS d
 CROSS JOIN LATERAL (SELECT coalesce(sum(reward_xp), 0) AS xp, count(*) AS completed FROM user_challenges
                      WHERE user_id = x.user_id AND completed_at IS NOT NULL) AS c
 WHERE (p.xp, p.workouts, p.volume, p.challenges) IS DISTINCT FROM (d.xp + c.xp, d.workouts, d.volume, c.completed)
    OR p.xp < 50 * p.level::bigint * (p.level - 1) OR p.xp >= 50 * p.level::bigint * (p.level + 1)
 LIMIT $1;
