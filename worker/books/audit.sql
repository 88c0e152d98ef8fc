-- What must hold in the books at every instant; each statement returns the rows that break it: `subject` (an id) and
-- `detail`. $1 is the number of rows that are enough.

-- name: prepare
-- For this transaction. Each statement reads whole tables and finds nothing, as a rule; the planner believes in its
-- LIMIT and would start nested loops that never get to stop early.
SELECT set_config('enable_nestloop', 'off', true), set_config('statement_timeout', '300s', true);

-- name: unbalanced_transaction
SELECT t.id::text AS subject, format('%s entries, sum %s', count(e.amount), coalesce(sum(e.amount), 0)) AS detail
  FROM ledger_transactions AS t LEFT JOIN ledger_entries AS e ON e.transaction_id = t.id
 GROUP BY t.id HAVING count(e.amount) < 2 OR sum(e.amount) <> 0
 LIMIT $1;

-- name: orphan_entry
SELECT e.transaction_id::text AS subject, format('entry of account %s', e.account_id) AS detail
  FROM ledger_entries AS e
  LEFT JOIN ledger_transactions AS t ON t.id = e.transaction_id
  LEFT JOIN accounts AS a ON a.id = e.account_id
 WHERE t.id IS NULL OR a.id IS NULL OR (a.kind = 'user') <> (e.version IS NOT NULL)
 LIMIT $1;

-- name: wrong_balance
SELECT b.account_id::text AS subject, format('balance %s, entries %s', b.credits, coalesce(sum(e.amount), 0)) AS detail
  FROM credit_balances AS b LEFT JOIN ledger_entries AS e ON e.account_id = b.account_id
 GROUP BY b.account_id HAVING b.credits <> coalesce(sum(e.amount), 0)
 LIMIT $1;

-- name: broken_chain
-- Versions are 1, 2, 3 … up to that of the balance, and each balance_after follows from the one before.
SELECT account_id::text AS subject, format('version %s, balance after %s', version, balance_after) AS detail
  FROM (
    SELECT e.account_id, e.version, e.balance_after, e.amount, b.version AS newest,
           lag(e.version, 1, 0::bigint) OVER entries AS version_before,
           lag(e.balance_after, 1, 0::bigint) OVER entries AS balance_before,
           lead(e.version) OVER entries AS version_after
      FROM ledger_entries AS e LEFT JOIN credit_balances AS b ON b.account_id = e.account_id
     WHERE e.version IS NOT NULL
    WINDOW entries AS (PARTITION BY e.account_id ORDER BY e.version)
  ) AS chain
 WHERE version <> version_before + 1 OR balance_after <> balance_before + amount
    OR (version_after IS NULL AND newest IS DISTINCT FROM version)
 LIMIT $1;

-- name: account_without_balance
SELECT a.id::text AS subject, 'no balance row' AS detail
  FROM accounts AS a LEFT JOIN credit_balances AS b ON b.account_id = a.id
 WHERE a.kind = 'user' AND b.account_id IS NULL
 LIMIT $1;

-- name: wrong_charge
-- A workout that was charged has one transaction of that amount, one that was free has none.
SELECT w.id::text AS subject, format('charged %s, booked %s', w.charged, coalesce(-sum(e.amount), 0)) AS detail
  FROM workouts AS w
  LEFT JOIN ledger_transactions AS t ON t.workout_id = w.id
  LEFT JOIN ledger_entries AS e ON e.transaction_id = t.id AND e.account_id = w.account_id
 GROUP BY w.id HAVING count(DISTINCT t.id) <> CASE WHEN w.charged > 0 THEN 1 ELSE 0 END
                   OR coalesce(-sum(e.amount), 0) <> w.charged
 LIMIT $1;

-- name: charge_without_workout
SELECT t.id::text AS subject, format('workout %s', t.workout_id) AS detail
  FROM ledger_transactions AS t LEFT JOIN workouts AS w ON w.id = t.workout_id
 WHERE t.workout_id IS NOT NULL AND w.id IS NULL
 LIMIT $1;

-- name: wrong_claim
-- What was booked of a source is what its transactions moved; what is owed, or has no room, only beside a balance that is
-- at its end.
SELECT c.source AS subject,
       format('%s wanted %s, booked %s in %s steps, in the books %s in %s', c.reason, c.wanted, c.booked, c.steps,
              coalesce(sum(e.amount), 0), count(e.amount)) AS detail
  FROM credit_claims AS c
  LEFT JOIN ledger_transactions AS t ON t.source = c.source AND t.reason = c.reason AND t.account_id = c.account_id
  LEFT JOIN ledger_entries AS e ON e.transaction_id = t.id AND e.account_id = c.account_id
  LEFT JOIN credit_balances AS b ON b.account_id = c.account_id
 GROUP BY c.account_id, c.reason, c.source, b.credits
HAVING coalesce(sum(e.amount), 0) <> c.booked OR count(e.amount) <> c.steps
    OR (c.wanted < c.booked AND b.credits > 0) OR (c.wanted > c.booked AND b.credits < 2147483647)
 LIMIT $1;

-- name: movement_without_claim
SELECT t.id::text AS subject, format('%s of %s', t.reason, t.source) AS detail
  FROM ledger_transactions AS t
  LEFT JOIN credit_claims AS c ON c.account_id = t.account_id AND c.reason = t.reason AND c.source = t.source
 WHERE (t.source IS NOT NULL AND c.source IS NULL)
    OR (t.reason IN ('purchase', 'refund', 'grant')) <> (t.source IS NOT NULL)
 LIMIT $1;

-- name: wrong_purchase
-- A paid session wants its credits for one account, and back the part that was refunded.
SELECT coalesce(p.session, c.source) AS subject,
       format('%s for %s, %s of it back; claimed %s', p.credits, p.account_id, p.back, c.wants) AS detail
  FROM (SELECT b.session, b.account_id, b.credits,
               least(coalesce(sum(b.credits * r.refunded / r.amount), 0), b.credits)::bigint AS back
          FROM purchases AS b LEFT JOIN payment_refunds AS r ON r.payment = b.payment
         GROUP BY b.session) AS p
  FULL JOIN (SELECT source, string_agg(format('%s %s for %s', reason, wanted, account_id), ', ') AS wants,
                    sum(wanted) FILTER (WHERE reason = 'purchase')::bigint AS bought,
                    sum(wanted) FILTER (WHERE reason = 'refund')::bigint AS back,
                    array_agg(DISTINCT account_id) FILTER (WHERE wanted <> 0) AS accounts
               FROM credit_claims WHERE reason <> 'grant' GROUP BY source) AS c
    ON c.source = p.session
 WHERE p.session IS NULL OR c.source IS NULL OR c.bought <> p.credits OR c.back <> -p.back
    OR c.accounts <> ARRAY[p.account_id]
 LIMIT $1;

-- name: wrong_grant
-- A grant wants what the action of an admin says, for the same account.
SELECT coalesce(c.source, a.id::text) AS subject,
       format('claimed %s, granted %s', c.wanted, a.arguments ->> 'credits') AS detail
  FROM (SELECT * FROM credit_claims WHERE reason = 'grant') AS c
  FULL JOIN (SELECT id, account_id, arguments FROM admin_actions WHERE action = 'grant') AS a ON a.id::text = c.source
 WHERE a.id IS NULL OR c.source IS NULL OR a.account_id <> c.account_id OR (a.arguments ->> 'credits')::bigint <> c.wanted
 LIMIT $1;

-- name: wrong_subscription
-- A person is subscribed until what their subscriptions say; who never had one may be so by hand.
SELECT u.id::text AS subject, format('until %s, by subscriptions %s', u.subscribed_until, s.until) AS detail
  FROM users AS u
  JOIN (SELECT coalesce(x.account_id, c.account_id) AS account_id,
               max(CASE WHEN x.extends THEN greatest(x.until, x.paid_until) ELSE x.until END) AS until
          FROM subscriptions AS x LEFT JOIN payment_customers AS c ON c.customer = x.customer GROUP BY 1) AS s
    ON s.account_id = u.account_id
 WHERE s.until IS DISTINCT FROM u.subscribed_until
 LIMIT $1;

-- name: workout_in_parts
SELECT w.id::text AS subject, 'no exercise or no muscle' AS detail
  FROM workouts AS w
 WHERE NOT EXISTS (SELECT FROM workout_exercises AS e WHERE e.workout_id = w.id)
    OR NOT EXISTS (SELECT FROM workout_muscles AS m WHERE m.workout_id = w.id)
 LIMIT $1;

-- name: orphan_part
SELECT p.workout_id::text AS subject, 'part of no workout, or of nothing that is known' AS detail
  FROM (
    SELECT e.workout_id FROM workout_exercises AS e LEFT JOIN exercises AS x ON x.id = e.exercise_id WHERE x.id IS NULL
    UNION ALL
    SELECT m.workout_id FROM workout_muscles AS m LEFT JOIN muscles AS x ON x.id = m.muscle_id WHERE x.id IS NULL
    UNION ALL
    SELECT e.workout_id FROM workout_exercises AS e LEFT JOIN workouts AS w ON w.id = e.workout_id WHERE w.id IS NULL
    UNION ALL
    SELECT m.workout_id FROM workout_muscles AS m LEFT JOIN workouts AS w ON w.id = m.workout_id WHERE w.id IS NULL
  ) AS p
 LIMIT $1;

-- name: workout_without_event
-- Of those whose events are still kept.
SELECT w.id::text AS subject, format('%s events', count(e.id)) AS detail
  FROM workouts AS w
  LEFT JOIN activity_events AS e ON e.type = 'workout_completed' AND e.data ->> 'workout_id' = w.id::text
 WHERE w.created_at >= (SELECT through FROM retention WHERE what = 'activity_events')
 GROUP BY w.id HAVING count(e.id) <> 1
 LIMIT $1;

-- name: lost_event
-- An event waits in the outbox, or its owner's feed has it: once, and not both.
SELECT e.id::text AS subject, format('%s in the outbox, %s in the feed of the owner', count(DISTINCT o.id), count(DISTINCT p."offset"))
         AS detail
  FROM activity_events AS e
  LEFT JOIN outbox AS o ON o.event_id = e.id
  LEFT JOIN users AS u ON u.account_id = e.account_id
  LEFT JOIN feed_positions AS p ON p.namespace = e.namespace AND p.channel = 'user:' || u.id AND p.event_id = e.id
 WHERE u.id IS NOT NULL
 GROUP BY e.id HAVING count(DISTINCT o.id) + count(DISTINCT p."offset") <> 1
 LIMIT $1;

-- name: unknown_outbox_row
-- What other apps publish is not recorded beside its stream.
SELECT o.event_id::text AS subject, 'in the outbox, but no event' AS detail
  FROM outbox AS o LEFT JOIN activity_events AS e ON e.id = o.event_id AND e.created_at = o.event_at
 WHERE o.namespace = 'musclemap' AND e.id IS NULL
 LIMIT $1;

-- name: feed_with_holes
-- Above what was dropped.
SELECT c.namespace || ':' || c.channel AS subject,
       format('head %s, dropped through %s, %s positions up to %s', c.last_offset, c.dropped_through, count(p."offset"),
              max(p."offset")) AS detail
  FROM feed_channels AS c
  LEFT JOIN (SELECT namespace, channel, "offset" FROM feed_positions
             UNION ALL SELECT namespace, channel, "offset" FROM stream_positions) AS p
    ON p.namespace = c.namespace AND p.channel = c.channel AND p."offset" > c.dropped_through
 GROUP BY c.namespace, c.channel, c.last_offset, c.dropped_through
HAVING count(p."offset") <> c.last_offset - c.dropped_through
    OR coalesce(max(p."offset"), c.dropped_through) <> c.last_offset
 LIMIT $1;

-- name: position_without_body
-- All of them first: whoever expects some would compare each with each, which takes minutes where there is none.
WITH broken AS MATERIALIZED (
  SELECT f.channel, f."offset", f.source
    FROM feed_positions AS f
    LEFT JOIN feed_positions AS o ON o.namespace = f.namespace AND o.channel = 'user:' || substr(f.channel, 9)
                                 AND o."offset" = f.source AND o.body IS NOT NULL
   WHERE f.source IS NOT NULL AND (o.event_id IS NULL OR o.event_id <> f.event_id)
)
SELECT channel || ' ' || "offset" AS subject, format('refers to %s of the owner', source) AS detail
  FROM broken LIMIT $1;

-- name: wrong_high_fives
-- Counted otherwise than there are.
SELECT coalesce(c.rendition_id, h.rendition_id)::text AS subject,
       format('share %s: %s counted, %s sent', coalesce(c.share, h.share), coalesce(c.high_fives, 0), coalesce(h.sent, 0))
         AS detail
  FROM high_five_counts AS c
  FULL JOIN (SELECT rendition_id, share, count(*) AS sent FROM high_fives GROUP BY rendition_id, share) AS h
    ON h.rendition_id = c.rendition_id AND h.share = c.share
 WHERE coalesce(c.high_fives, 0) <> coalesce(h.sent, 0)
 LIMIT $1;

-- name: dropped_too_much
-- Something that a term had not reached, a person's feed, or the newest of a stream.
SELECT what AS subject, format('dropped through %s at %s, by a term of %s days', through, at, days) AS detail
  FROM retention WHERE through > at - make_interval(days => days)
UNION ALL
SELECT namespace || ':' || channel, format('dropped through %s of %s', dropped_through, last_offset)
  FROM feed_channels
 WHERE namespace = 'musclemap' AND dropped_through > 0
   AND (channel LIKE 'user:%' OR channel LIKE 'profile:%' OR dropped_through > last_offset - 1000)
 LIMIT $1;

-- name: wrong_day
-- Of people who are still there: each date has what its workouts come to.
SELECT w.user_id || ' ' || w.local_date AS subject,
       format('%s workouts, %s XP, %s units; of workouts %s, %s, %s', d.workouts, d.xp, d.volume, w.workouts,
              least(600, w.worth), w.volume) AS detail
  FROM (SELECT user_id, local_date, count(*) AS workouts, sum(least(200, 10 + floor(total_tu / 50))) AS worth,
               sum(round(total_tu * 1024) / 1024) AS volume
          FROM workouts GROUP BY user_id, local_date) AS w
  JOIN users AS u ON u.id = w.user_id
  LEFT JOIN training_days AS d ON d.user_id = w.user_id AND d.local_date = w.local_date
 WHERE (d.workouts, d.xp, d.worth, d.volume) IS DISTINCT FROM (w.workouts, least(600, w.worth), w.worth, w.volume)
UNION ALL
SELECT d.user_id || ' ' || d.local_date, format('%s workouts, %s XP, and there is none', d.workouts, d.xp)
  FROM training_days AS d
  LEFT JOIN (SELECT DISTINCT user_id, local_date FROM workouts) AS w ON w.user_id = d.user_id AND w.local_date = d.local_date
 WHERE w.user_id IS NULL AND (d.workouts > 0 OR d.xp > 0 OR d.volume > 0)
 LIMIT $1;

-- name: wrong_progress
-- XP is that of the days and of completed challenges, and the level is the highest whose 50 · n · (n - 1) it reaches.
SELECT p.user_id::text AS subject,
       format('%s XP, level %s, %s workouts, %s units, %s challenges; of days %s XP, %s, %s, of challenges %s XP, %s', p.xp,
              p.level, p.workouts, p.volume, p.challenges, d.xp, d.workouts, d.volume, c.xp, c.completed) AS detail
  FROM progress AS p
  LEFT JOIN (SELECT user_id, sum(xp) AS xp, sum(workouts) AS workouts, sum(volume) AS volume
               FROM training_days GROUP BY user_id) AS d ON d.user_id = p.user_id
  LEFT JOIN (SELECT user_id, sum(reward_xp) AS xp, count(*) AS completed
               FROM user_challenges WHERE completed_at IS NOT NULL GROUP BY user_id) AS c ON c.user_id = p.user_id
 WHERE p.xp <> coalesce(d.xp, 0) + coalesce(c.xp, 0) OR p.workouts <> coalesce(d.workouts, 0)
    OR p.volume <> coalesce(d.volume, 0) OR p.challenges <> coalesce(c.completed, 0)
    OR p.xp < 50 * p.level::bigint * (p.level - 1) OR p.xp >= 50 * p.level::bigint * (p.level + 1)
 LIMIT $1;

-- name: wrong_streak
-- The newest run of dates, how many there are besides, and the longest.
WITH runs AS MATERIALIZED (
  SELECT user_id, min(local_date) AS first, max(local_date) AS last, count(*) FILTER (WHERE workouts > 0) AS days
    FROM (SELECT user_id, local_date, workouts,
                 local_date - (row_number() OVER (PARTITION BY user_id ORDER BY local_date))::integer AS island
            FROM training_days) AS d
   GROUP BY user_id, island
), people AS (
  SELECT user_id, max(days) AS longest, count(*) - 1 AS others, max(first) AS first, max(last) AS last,
         (array_agg(days ORDER BY first DESC))[1] AS newest
    FROM runs GROUP BY user_id
)
SELECT p.user_id::text AS subject,
       format('longest %s, newest %s to %s with %s days; of dates %s, %s to %s, %s; %s others, stored %s', p.streak_longest,
              p.streak_first, p.streak_last, p.streak_days, r.longest, r.first, r.last, r.newest, r.others, s.stored) AS detail
  FROM progress AS p
  LEFT JOIN people AS r ON r.user_id = p.user_id
  LEFT JOIN (SELECT s.user_id, count(*) AS stored, count(r.user_id) AS right
               FROM streak_runs AS s LEFT JOIN runs AS r USING (user_id, first, last, days) GROUP BY s.user_id) AS s
    ON s.user_id = p.user_id
 WHERE (p.streak_longest, p.streak_days, p.streak_first, p.streak_last)
       IS DISTINCT FROM (coalesce(r.longest, 0), coalesce(r.newest, 0), r.first, r.last)
    OR coalesce(s.stored, 0) <> coalesce(r.others, 0) OR s.stored <> s.right
 LIMIT $1;

-- name: wrong_best
-- Of people who are still there: the most weight of each exercise.
SELECT l.user_id || ' ' || l.exercise_id AS subject, format('%s kg, lifted %s', b.weight_kg, l.weight_kg) AS detail
  FROM (SELECT e.user_id, e.exercise_id, max(coalesce((s.one ->> 'weight_kg')::double precision, 0)) AS weight_kg
          FROM workout_exercises AS e CROSS JOIN LATERAL jsonb_array_elements(e.sets) AS s (one)
         GROUP BY e.user_id, e.exercise_id) AS l
  JOIN users AS u ON u.id = l.user_id
  LEFT JOIN exercise_bests AS b ON b.user_id = l.user_id AND b.exercise_id = l.exercise_id
 WHERE b.weight_kg IS DISTINCT FROM l.weight_kg
 LIMIT $1;

-- name: wrong_challenge
-- Completed where the target is reached, and only there.
SELECT c.user_id || ' ' || c.challenge_id AS subject, format('%s of %s, completed %s', c.progress, c.target, c.completed_at)
         AS detail
  FROM user_challenges AS c
 WHERE (c.progress >= c.target) <> (c.completed_at IS NOT NULL) OR (c.completed_at IS NULL) <> (c.completed_by IS NULL)
 LIMIT $1;

-- name: wrong_milestone
-- One for each number that is reached.
SELECT p.user_id::text AS subject,
       format('%s milestones at %s workouts and %s days', coalesce(m.stored, 0), p.workouts, p.streak_longest) AS detail
  FROM progress AS p
  LEFT JOIN (SELECT user_id, count(*) AS stored FROM milestones WHERE kind <> 'record' GROUP BY user_id) AS m
    ON m.user_id = p.user_id
 WHERE coalesce(m.stored, 0) <> (SELECT count(*) FROM unnest('{1,10,50,100,365,1000}'::int[]) AS n WHERE n <= p.workouts)
                              + (SELECT count(*) FROM unnest('{7,30,100,365}'::int[]) AS n WHERE n <= p.streak_longest)
 LIMIT $1;
