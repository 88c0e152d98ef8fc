-- The run log, and what the jobs do.

-- name: look
-- $1 jobs. Of each, at the database's time: the newest slot that is finished, and the newest of all with its failures.
SELECT clock_timestamp() AS now, j.name, d.slot AS done, d.finished, extract(epoch FROM d.took)::float8 AS took_s,
       d.result, n.slot AS newest, n.again, n.error, n.failures
  FROM unnest($1::text[]) AS j (name)
  LEFT JOIN LATERAL (
    SELECT slot, finished, took, result FROM job_runs WHERE job = j.name AND finished IS NOT NULL
     ORDER BY slot DESC LIMIT 1) AS d ON true
  LEFT JOIN LATERAL (
    SELECT slot, again, error, failures FROM job_runs WHERE job = j.name ORDER BY slot DESC LIMIT 1) AS n ON true;

-- name: bounds
-- $1 milliseconds. For this transaction: no statement takes longer, nobody who is paused in it or gone keeps its locks.
SELECT set_config('statement_timeout', $1::text, true), set_config('idle_in_transaction_session_timeout', '2s', true),
       set_config('client_connection_check_interval', '1s', true);

-- name: take_turn
-- $1 job. To the end of the transaction: whether nobody else runs it now. A statement of its own: the next one sees what
-- whoever had the turn before has committed.
SELECT pg_try_advisory_xact_lock(hashtext('musclemap.job'), hashtext($1));

-- name: begin_batch
-- $1 job, $2 slot, $3 worker. No row = the slot is finished, or a newer one is.
INSERT INTO job_runs AS r (job, slot, worker, started)
SELECT $1, $2, $3, clock_timestamp()
 WHERE NOT EXISTS (SELECT FROM job_runs WHERE job = $1 AND slot >= $2 AND finished IS NOT NULL)
ON CONFLICT (job, slot) DO UPDATE SET worker = excluded.worker
RETURNING place;

-- name: end_batch
-- $1 job, $2 slot, $3 rows changed, $4 where the next batch begins; null = the slot is finished.
UPDATE job_runs
   SET result = result + $3, place = $4, took = took + (clock_timestamp() - now()),
       finished = CASE WHEN $4::text IS NULL THEN clock_timestamp() END, failures = 0, error = NULL, again = NULL
 WHERE job = $1 AND slot = $2;

-- name: note_failure
-- $1 job, $2 slot, $3 worker, $4 error. How often it has failed now; no row = somebody else has finished it meanwhile.
INSERT INTO job_runs AS r (job, slot, worker, started, failures, error)
SELECT $1, $2, $3, clock_timestamp(), 1, $4
 WHERE NOT EXISTS (SELECT FROM job_runs WHERE job = $1 AND slot >= $2 AND finished IS NOT NULL)
ON CONFLICT (job, slot) DO UPDATE SET failures = r.failures + 1, error = excluded.error, worker = excluded.worker
 WHERE r.finished IS NULL
RETURNING failures;

-- name: try_again
-- $1 job, $2 slot, $3 seconds.
UPDATE job_runs SET again = clock_timestamp() + make_interval(secs => $3)
 WHERE job = $1 AND slot = $2 AND finished IS NULL;

-- name: end_streaks
-- $1 user behind whom the batch begins, $2 users that it looks at. Who has not trained since the day before yesterday,
-- where they are, has no streak; nobody is further ahead of UTC than a day. Whoever is training just now is left to the
-- next slot. No row = nobody is behind. Both ends of the batch are known, so that no plan reads more.
WITH looked AS MATERIALIZED (
  SELECT user_id FROM progress WHERE user_id > $1 ORDER BY user_id LIMIT $2
), ended AS MATERIALIZED (
  SELECT p.user_id FROM progress AS p JOIN users AS u ON u.id = p.user_id
   WHERE p.user_id > $1 AND p.user_id <= (SELECT user_id FROM looked ORDER BY user_id DESC LIMIT 1)
     AND p.streak_over IS DISTINCT FROM p.streak_last AND p.streak_last < (now() AT TIME ZONE 'UTC')::date
     AND p.streak_last < today_in(u.time_zone) - 1
     FOR UPDATE OF p SKIP LOCKED
), marked AS (
  UPDATE progress AS p SET streak_over = p.streak_last FROM ended AS e WHERE p.user_id = e.user_id RETURNING p.user_id
)
SELECT (SELECT count(*) FROM marked) AS changed, (SELECT count(*) FROM looked) AS looked, user_id
  FROM looked ORDER BY user_id DESC LIMIT 1;

-- name: assign_challenges
-- $1 days since the last workout, $2 user behind whom the batch begins, $3 users. How many challenges are new, and the
-- last of the users; null = there was none.
SELECT assigned, last
  FROM assign_daily_challenges(clock_timestamp(), clock_timestamp() - make_interval(days => $1), $2, $3);

-- name: score_rivals
-- $1 user and $2 rival behind whom the batch begins, $3 rows that it looks at. No row = nobody is behind.
WITH looked AS MATERIALIZED (
  SELECT user_id, rival_id, my_start, their_start, my_score, their_score FROM rivals
   WHERE (user_id, rival_id) > ($1, $2) ORDER BY user_id, rival_id LIMIT $3
), scored AS MATERIALIZED (
  SELECT user_id, rival_id, my_score, their_score,
         greatest(0, coalesce((SELECT xp FROM progress WHERE user_id = l.user_id), 0) - my_start) AS mine,
         greatest(0, coalesce((SELECT xp FROM progress WHERE user_id = l.rival_id), 0) - their_start) AS theirs
    FROM looked AS l
), changed AS (
  UPDATE rivals AS r SET my_score = s.mine, their_score = s.theirs FROM scored AS s
   WHERE r.user_id = s.user_id AND r.rival_id = s.rival_id
     AND r.user_id >= $1 AND r.user_id <= (SELECT user_id FROM looked ORDER BY user_id DESC LIMIT 1)
     AND (s.my_score, s.their_score) <> (s.mine, s.theirs)
  RETURNING r.user_id
)
SELECT (SELECT count(*) FROM changed) AS changed, (SELECT count(*) FROM looked) AS looked, user_id, rival_id
  FROM looked ORDER BY user_id DESC, rival_id DESC LIMIT 1;

-- name: refresh_leaderboards
SELECT refresh_leaderboards();

-- name: forget_week
-- $1 its Monday.
DELETE FROM leaderboard_snapshots WHERE week = $1;

-- name: by_hashes
-- For this transaction: what reads tables whole joins them by hashes, also when they have grown since they were looked at.
SELECT set_config('enable_nestloop', 'off', true);

-- name: keep_week
-- $1 its Monday. XP and volume of its days, as training_days has them now; streaks as the leaderboard has them now.
WITH trained AS (
  SELECT d.user_id, sum(d.xp)::float8 AS xp, sum(d.volume) AS volume
    FROM training_days AS d JOIN users AS u ON u.id = d.user_id
   WHERE d.local_date >= $1 AND d.local_date < $1 + 7 GROUP BY d.user_id
), scores AS (
  SELECT 'XP' AS board, user_id, xp AS score FROM trained WHERE xp > 0
  UNION ALL
  SELECT 'VOLUME', user_id, volume FROM trained WHERE volume > 0
), ranked AS (
  SELECT board, user_id, score, rank() OVER (PARTITION BY board ORDER BY score DESC) AS rank,
         row_number() OVER (PARTITION BY board ORDER BY score DESC, user_id) AS place
    FROM scores
), kept AS (
  INSERT INTO leaderboard_snapshots (week, board, place, rank, user_id, score, kept_at)
  SELECT $1, board, place, rank, user_id, score, now() FROM ranked WHERE place <= 100
  UNION ALL
  SELECT $1, 'STREAK', place, rank, user_id, score, now() FROM leaderboard_top(leaderboard_list('STREAK', 'ALL_TIME'))
  RETURNING place
)
SELECT count(*) FROM kept;

-- name: bound_wait
-- $1 milliseconds. For this transaction: no statement of it takes longer, so nobody waits longer for what it locks.
SELECT set_config('statement_timeout', $1::text, true);

-- name: make_month
-- $1 table, $2 months from this one on. `made`, `there`, or `begun`: its rows already lie in the partition for all others.
SELECT make_month($1, ((now() AT TIME ZONE 'UTC')::date + make_interval(months => $2))::date);
