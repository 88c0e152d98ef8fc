-- What was reached. It is written by the SQL functions that earn it (0014_earning.sql), and only read here.

-- name: streak
-- $1 user, $2 now
SELECT ($2::timestamptz AT TIME ZONE u.time_zone)::date AS today, coalesce(p.streak_days, 0) AS days, p.streak_last AS last,
       coalesce(p.streak_longest, 0) AS longest,
       (SELECT d.local_date FROM training_days AS d WHERE d.user_id = u.id AND d.workouts > 0
         ORDER BY d.local_date DESC LIMIT 1) AS last_date
  FROM users AS u LEFT JOIN progress AS p ON p.user_id = u.id
 WHERE u.id = $1;

-- name: achieved
-- $1 viewer or null, $2 users, $3 now. Of those whom the viewer may see.
SELECT id, archetype_id, achievements, earned FROM achieved_by($1, $2, $3);

-- name: time_zones
-- The names that this server computes with; read once by a process.
SELECT name FROM pg_timezone_names WHERE name NOT LIKE 'posix/%' AND name NOT LIKE 'right/%';

-- name: set_time_zone
-- $1 user, $2 zone, $3 now, $4 changes within 30 days at most, $5 event (a fresh id). One statement, one transaction.
SELECT set_time_zone($1, $2, $3, $4, $5) AS outcome;

-- name: set_archetype
-- $1 user, $2 archetype, $3 now
UPDATE users SET archetype_id = $2, updated_at = $3 WHERE id = $1 RETURNING id;
