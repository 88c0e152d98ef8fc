-- Challenges of a user. Workouts move them inside log_workout.

-- name: board
-- $1 user, $2 now. `midnights`: when the dates around today begin. Rows of today and yesterday, and what was joined of this
-- week and the one before.
WITH here AS MATERIALIZED (
  SELECT u.time_zone, ($2::timestamptz AT TIME ZONE u.time_zone)::date AS today FROM users AS u WHERE u.id = $1
)
SELECT h.today,
       (SELECT json_object_agg(d.day::text, d.day::timestamp AT TIME ZONE h.time_zone)
          FROM (SELECT h.today + n AS day FROM generate_series(-1, 1) AS n
                UNION SELECT date_trunc('week', h.today)::date + n FROM generate_series(-7, 7, 7) AS n) AS d) AS midnights,
       (SELECT json_agg(json_build_array(c.starts_on, c.challenge_id, c.progress, c.target, c.reward_xp,
                                         c.completed_at IS NOT NULL))
          FROM user_challenges AS c
         WHERE c.user_id = $1 AND c.starts_on >= date_trunc('week', h.today)::date - 7
           AND (c.joined_at IS NOT NULL OR c.starts_on >= h.today - 1)) AS rows
  FROM here AS h;

-- name: lock_user
-- $1 user, $2 now. As log_workout does it, so that the two come one after the other; and without sequential scans, which
-- would lock whole tables. Today by the user's zone.
SELECT ($2::timestamptz AT TIME ZONE u.time_zone)::date AS today, set_config('enable_seqscan', 'off', true)
  FROM users AS u JOIN credit_balances AS b ON b.account_id = u.account_id
 WHERE u.id = $1 FOR UPDATE OF b;

-- name: workouts_of_week
-- $1 user, $2 its Monday, $3 how many at most. By the index: no date is further than a day from that of UTC.
SELECT w.total_tu,
       (SELECT json_agg(json_build_array(e.exercise_id, e.sets)) FROM workout_exercises AS e WHERE e.workout_id = w.id)
         AS exercises,
       (SELECT json_agg(json_build_array(m.muscle_id, m.training_units)) FROM workout_muscles AS m
         WHERE m.workout_id = w.id) AS muscles
  FROM workouts AS w
 WHERE w.user_id = $1 AND w.local_date >= $2::date AND w.local_date < $2::date + 7
   AND w.performed_at >= $2::date - interval '1 day' AND w.performed_at < $2::date + interval '8 days'
 ORDER BY w.performed_at DESC, w.id DESC
 LIMIT $3;

-- name: join
-- $1 user, $2 now, $3 challenge, $4 Monday, $5 progress, $6 target, $7 reward in XP, $8 event (a fresh id)
SELECT join_challenge($1, $2, $3, $4, $5, $6, $7, $8) AS joined;
