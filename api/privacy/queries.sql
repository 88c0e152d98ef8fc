-- What is somebody's, section by section; each row is JSON as the export has it. $1 user, $2 their account. Read page by
-- page in one snapshot; one user's rows bound each.

-- name: profile
-- $1 user
SELECT u.account_id, row_to_json(p)::text AS json
  FROM users AS u JOIN credit_balances AS b ON b.account_id = u.account_id CROSS JOIN LATERAL (
    SELECT u.id, u.account_id, u.name, u.email, u.roles, u.tier, u.audience, u.time_zone, u.archetype_id, u.xp, u.level,
           u.trial_ends_at, u.subscribed_until, b.credits, u.created_at, u.updated_at
  ) AS p
 WHERE u.id = $1;

-- name: workouts
SELECT row_to_json(p)::text AS json
  FROM workouts AS w CROSS JOIN LATERAL (
    SELECT w.id, w.performed_at, w.local_date, w.time_zone, w.note, w.visibility, w.total_tu, w.charged, w.idempotency_key,
           w.created_at,
           coalesce((SELECT json_agg(json_build_object('exercise_id', e.exercise_id, 'slug', x.slug, 'sets', e.sets)
                                     ORDER BY e.position)
                       FROM workout_exercises AS e LEFT JOIN exercises AS x ON x.id = e.exercise_id
                      WHERE e.workout_id = w.id), '[]'::json) AS exercises,
           coalesce((SELECT json_agg(json_build_object('muscle_id', m.muscle_id, 'slug', x.slug,
                                                       'training_units', m.training_units))
                       FROM workout_muscles AS m LEFT JOIN muscles AS x ON x.id = m.muscle_id
                      WHERE m.workout_id = w.id), '[]'::json) AS muscles
  ) AS p
 WHERE w.user_id = $1 AND w.account_id = $2
 ORDER BY w.performed_at, w.id;

-- name: ledger
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN ledger_entries AS e ON e.account_id = u.account_id AND e.version IS NOT NULL
  JOIN ledger_transactions AS t ON t.id = e.transaction_id
 CROSS JOIN LATERAL (
    SELECT e.transaction_id, e.amount, e.balance_after, t.reason, t.workout_id, e.created_at
  ) AS p
 WHERE u.id = $1 AND e.account_id = $2
 ORDER BY e.version;

-- name: events
-- By $1 itself: what is made of a column of users, which has a policy, goes into no index.
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN feed_positions AS f ON f.namespace = 'musclemap' AND f.channel = 'user:' || $1::uuid::text
 CROSS JOIN LATERAL (
    SELECT f.event_id AS id, f.body ->> 'type' AS type, f.body ->> 'created_at' AS created_at, f.body -> 'actor' AS actor,
           CASE WHEN f.body ->> 'type' = 'workout_completed'
                THEN json_build_object('workout_id', f.body #> '{data,workout_id}') ELSE f.body -> 'data' END AS data
  ) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY f."offset";

-- name: sessions
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN sessions AS s ON s.user_id = u.id
 CROSS JOIN LATERAL (SELECT s.created_at, s.expires_at, s.revoked_at) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY s.created_at;

-- name: following
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN follows AS f ON f.follower_id = u.id
 CROSS JOIN LATERAL (SELECT f.followee_id AS user_id, f.since, f.state) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY f.since;

-- name: followers
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN follows AS f ON f.followee_id = u.id
 CROSS JOIN LATERAL (SELECT f.follower_id AS user_id, f.since, f.state) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY f.since;

-- name: blocks
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN blocks AS b ON b.blocker_id = u.id
 CROSS JOIN LATERAL (SELECT b.blocked_id AS user_id, b.since) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY b.since;

-- name: progress
SELECT row_to_json(x)::text AS json
  FROM users AS u CROSS JOIN LATERAL (
    SELECT p.xp, p.level, p.workouts, p.volume, p.streak_longest, p.streak_days, p.streak_first, p.streak_last,
           p.exercises, p.heaviest_kg, p.challenges, p.joined_through, p.updated_at
      FROM progress AS p WHERE p.user_id = u.id
  ) AS x
 WHERE u.id = $1 AND u.account_id = $2;

-- name: training_days
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN training_days AS d ON d.user_id = u.id
 CROSS JOIN LATERAL (SELECT d.local_date, d.workouts, d.xp, d.volume) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY d.local_date;

-- name: time_zones
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN user_time_zones AS z ON z.user_id = u.id
 CROSS JOIN LATERAL (SELECT z.since, z.time_zone) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY z.since;

-- name: streaks
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN streak_runs AS r ON r.user_id = u.id
 CROSS JOIN LATERAL (SELECT r.first, r.last, r.days) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY r.first;

-- name: records
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN exercise_bests AS b ON b.user_id = u.id
  LEFT JOIN exercises AS e ON e.id = b.exercise_id
 CROSS JOIN LATERAL (
    SELECT b.exercise_id, e.slug, b.weight_kg, b.previous_kg, b.performed_at, b.workout_id
  ) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY b.performed_at;

-- name: milestones
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN milestones AS m ON m.user_id = u.id
 CROSS JOIN LATERAL (SELECT m.kind, m.value, m.exercise_id, m.at) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY m.at;

-- name: challenges
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN user_challenges AS c ON c.user_id = u.id
 CROSS JOIN LATERAL (
    SELECT c.challenge_id, c.starts_on, c.progress, c.target, c.reward_xp, c.joined_at, c.completed_at
  ) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY c.starts_on;

-- name: achievements
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN earned_achievements AS a ON a.user_id = u.id
 CROSS JOIN LATERAL (SELECT a.achievement_id, a.earned_at) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY a.earned_at;

-- name: rivals
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN rivals AS r ON r.user_id = u.id
 CROSS JOIN LATERAL (SELECT r.rival_id AS user_id, r.since, r.my_score, r.their_score) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY r.since;

-- name: high_fives
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN high_fives AS h ON h.sender_id = u.id
 CROSS JOIN LATERAL (SELECT h.rendition_id AS event_id, h.sent_at) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY h.sent_at;

-- name: purchases
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN purchases AS b ON b.account_id = u.account_id
 CROSS JOIN LATERAL (SELECT b.session, b.credits, b.payment, b.created) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY b.created;

-- name: subscriptions
SELECT row_to_json(p)::text AS json
  FROM users AS u
  JOIN subscriptions AS s ON s.account_id = u.account_id
   OR s.account_id IS NULL AND s.customer IN (SELECT c.customer FROM payment_customers AS c WHERE c.account_id = u.account_id)
 CROSS JOIN LATERAL (SELECT s.id, s.customer, s.status, s.until, s.paid_until, s.created) AS p
 WHERE u.id = $1 AND u.account_id = $2
 ORDER BY s.created;

-- name: erase_user
-- $1 user, $2 the hash that was verified, $3 now. The pseudonym, the sessions that ended, up to when channel
-- tokens are void; null = there is no such user.
SELECT account, ended, void_before FROM erase_user($1, $2, $3);

-- name: erasures
-- $1 how many at most. Users of whom Redis may still know something, and whose feeds told of them.
SELECT user_id, told FROM erasures ORDER BY at LIMIT $1;

-- name: settle_erasure
-- $1 user, $2 whether Redis knows nothing any more, $3 time before which the account must have ended. Whether it is over.
SELECT settle_erasure($1, $2, $3);

-- name: take_turn
-- $1 user, $2 what, $3 now, $4 beginning of the oldest window that still counts. How many were taken in the window, this
-- one included, and when it began.
INSERT INTO turns AS t (user_id, what, began_at, taken) VALUES ($1, $2, $3, 1)
ON CONFLICT (user_id, what) DO UPDATE
   SET taken = CASE WHEN t.began_at > $4 THEN t.taken + 1 ELSE 1 END,
       began_at = CASE WHEN t.began_at > $4 THEN t.began_at ELSE $3 END
RETURNING taken, began_at;
