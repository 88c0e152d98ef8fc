-- name: log_workout
-- $1 user, $2 key, $3 input hash, $4 now, $5 price in credits, $6 workout, $7 ledger transaction and $8 event (fresh
-- ids), $9 performed at, $10 note, $11 visibility, $12 total training units, $13 exercises and $14 their sets (JSON),
-- $15 muscles and $16 their training units, $17 data of the event (JSON), $18 its exercises, each once,
-- and $19 the most weight of each or 0; challenges, three DAILY ones for each of three dates from $20 on, then COMMUNITY ones:
-- $21 id, $22 what the workout adds, $23 target, $24 reward in XP; thresholds of achievements for $25 workouts and $26
-- volume. One statement, one transaction.
SELECT outcome, workout_id, charged, credits, version, xp, level, leveled_up, milestones
  FROM log_workout($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
                   $24, $25, $26);

-- name: workout
-- $1 user, $2 workout
SELECT w.id, w.performed_at, w.note, w.total_tu,
       (SELECT json_agg(json_build_array(e.exercise_id, e.sets) ORDER BY e.position)
          FROM workout_exercises AS e WHERE e.workout_id = w.id) AS exercises,
       (SELECT json_agg(json_build_array(m.muscle_id, m.training_units))
          FROM workout_muscles AS m WHERE m.workout_id = w.id) AS muscles
  FROM workouts AS w
 WHERE w.id = $2 AND w.user_id = $1;

-- name: my_workouts
-- $1 user, $2 performed at and $3 id before which the page begins, or both null, $4 number of rows. One comparison, so
-- that the index begins where the page does.
SELECT w.id, w.performed_at, w.note, w.total_tu,
       (SELECT json_agg(json_build_array(e.exercise_id, e.sets) ORDER BY e.position)
          FROM workout_exercises AS e WHERE e.workout_id = w.id) AS exercises,
       (SELECT json_agg(json_build_array(m.muscle_id, m.training_units))
          FROM workout_muscles AS m WHERE m.workout_id = w.id) AS muscles
  FROM workouts AS w
 WHERE w.user_id = $1
   AND (w.performed_at, w.id)
     < (coalesce($2::timestamptz, 'infinity'), coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
 ORDER BY w.performed_at DESC, w.id DESC
 LIMIT $4;
