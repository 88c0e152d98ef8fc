-- Logging a workout: one call, one transaction.

-- Why an account's use is unlimited at p_now, or NULL: then its credits decide.
CREATE FUNCTION unlimited_reason(p_trial_ends_at timestamptz, p_subscribed_until timestamptz, p_now timestamptz)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_subscribed_until > p_now THEN 'SUBSCRIPTION' WHEN p_trial_ends_at > p_now THEN 'TRIAL' END
$$;

-- Returns by name what happened:
--   logged        the workout is stored, with its parts, charge and event
--   replayed      the key was used before with the same input: workout_id and charged are those of then
--   mismatch      the key was used before with another input
--   insufficient  the credits do not cover p_cost; nothing is stored
--   unknown_user  there is no such user
-- credits and version are the balance now, in every case but the last.
--
-- p_workout, p_transaction and p_event are fresh ids: a repeat after a lost connection passes the same ones and hears
-- `logged` again. p_exercises[i] was done with the sets p_sets[i] (JSON); p_muscles[i] got p_units[i].
--
-- Under SERIALIZABLE with the balance row locked first, so that two calls for one user meet there. The key is decided
-- by the INSERT; whoever loses reads the row that was there (ON CONFLICT alone would take no lock on what it met, and
-- reading before writing would lock the index page on which other users insert). Sequential scans are off because on
-- small tables they would lock the whole table for the same purpose.
CREATE FUNCTION log_workout(
  p_user uuid, p_key text, p_input_hash bytea, p_now timestamptz, p_cost bigint,
  p_workout uuid, p_transaction uuid, p_event uuid,
  p_performed_at timestamptz, p_note text, p_visibility text[], p_total_tu double precision,
  p_exercises uuid[], p_sets text[], p_muscles uuid[], p_units double precision[], p_data json,
  OUT outcome text, OUT workout_id uuid, OUT charged bigint, OUT credits bigint, OUT version bigint
) LANGUAGE plpgsql AS $$
DECLARE
  v_user record;
  v_hash bytea;
  v_new boolean := false;
BEGIN
  IF current_setting('transaction_isolation') <> 'serializable' THEN
    RAISE EXCEPTION 'log_workout needs SERIALIZABLE: run `make migrate`, which sets it for the role'
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  -- For row security; and for the plans, to the end of the transaction, that of post_credits included.
  PERFORM set_config('musclemap.user_id', p_user::text, true), set_config('enable_seqscan', 'off', true);

  SELECT u.account_id, u.name, u.time_zone, b.credits, b.version,
         unlimited_reason(u.trial_ends_at, u.subscribed_until, p_now) IS NOT NULL AS unlimited
    INTO v_user
    FROM users AS u JOIN credit_balances AS b ON b.account_id = u.account_id
   WHERE u.id = p_user
     FOR UPDATE OF b;
  IF NOT FOUND THEN
    outcome := 'unknown_user';
    RETURN;
  END IF;
  credits := v_user.credits;
  version := v_user.version;
  charged := CASE WHEN v_user.unlimited THEN 0 ELSE p_cost END;

  IF charged <= credits THEN
    INSERT INTO workouts AS w (id, user_id, account_id, idempotency_key, input_hash, performed_at, local_date, time_zone,
                               note, visibility, total_tu, charged, created_at)
    VALUES (p_workout, p_user, v_user.account_id, p_key, p_input_hash, p_performed_at,
            (p_performed_at AT TIME ZONE v_user.time_zone)::date, v_user.time_zone,
            p_note, p_visibility, p_total_tu, charged, p_now)
    ON CONFLICT (user_id, idempotency_key) DO NOTHING;
    v_new := FOUND;
  END IF;

  IF NOT v_new THEN
    SELECT w.id, w.charged, w.input_hash INTO workout_id, charged, v_hash
      FROM workouts AS w WHERE w.user_id = p_user AND w.idempotency_key = p_key;
    IF FOUND THEN
      outcome := CASE WHEN v_hash <> p_input_hash THEN 'mismatch' WHEN workout_id = p_workout THEN 'logged'
                      ELSE 'replayed' END;
    ELSIF NOT v_user.unlimited AND p_cost > credits THEN
      outcome := 'insufficient';
    ELSE  -- somebody holds the key whom this snapshot cannot see
      RAISE EXCEPTION 'the key was taken meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN;
  END IF;

  INSERT INTO workout_exercises (workout_id, position, user_id, exercise_id, sets)
  SELECT p_workout, e.position, p_user, e.exercise_id, e.sets::jsonb
    FROM unnest(p_exercises, p_sets) WITH ORDINALITY AS e (exercise_id, sets, position);
  INSERT INTO workout_muscles (workout_id, muscle_id, user_id, training_units)
  SELECT p_workout, m.muscle_id, p_user, m.units FROM unnest(p_muscles, p_units) AS m (muscle_id, units);
  IF charged > 0 THEN
    SELECT p.credits, p.version INTO credits, version
      FROM post_credits(p_transaction, v_user.account_id, 'workouts', -charged, 'workout', p_workout, p_now) AS p;
  END IF;
  PERFORM append_event(p_event, p_now, 'musclemap', 'workout_completed', 1, v_user.account_id, p_user, v_user.name,
                       p_visibility, p_data);
  outcome := 'logged';
  workout_id := p_workout;
END $$;
