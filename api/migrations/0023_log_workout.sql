-- outside a transaction
-- Workouts earn from here on: log_workout as it is now, and as API processes of the release before call it. Each statement
-- bears being run again. What was stored before is counted last, a batch of users a transaction, beside traffic that
-- counts already.

-- What a workout of p_date earns, once it is stored, where p_was was there before: `xp` with the rewards of challenges,
-- `level` now, data of the events of milestones and completed challenges. p_lifted: its exercises, each once, with the
-- most weight of each or 0.
-- p_challenges and what the workout adds to each: three DAILY ones for each of the three dates from p_first on, then those
-- of the week. p_marks: thresholds of achievements for workouts and volume; null = unknown here.
CREATE OR REPLACE FUNCTION earn(
  p_user uuid, p_was progress, p_workout uuid, p_now timestamptz, p_performed_at timestamptz, p_date date,
  p_total_tu double precision, p_lifted uuid[], p_weights double precision[], p_first date, p_challenges uuid[],
  p_amounts double precision[], p_targets double precision[], p_rewards integer[], p_workout_marks double precision[],
  p_volume_marks double precision[],
  OUT xp integer, OUT level integer, OUT leveled_up boolean, OUT milestones json[], OUT completed json[]
) LANGUAGE plpgsql AS $$
DECLARE
  v_was public.progress := p_was;
  v_is public.progress;
  v_worth integer := public.workout_xp(p_total_tu);
  v_volume double precision := public.in_steps(p_total_tu);
  v_won record;
BEGIN
  IF v_was.user_id IS NULL THEN  -- stored before progress was kept, and not counted yet
    PERFORM public.recount_progress(ARRAY[p_user], p_workout);
    SELECT p.* INTO STRICT v_was FROM public.progress AS p WHERE p.user_id = p_user;
  END IF;
  v_is := v_was;

  v_won := public.add_up(p_user, p_workout, p_now, p_performed_at, p_date, v_worth, v_volume, p_lifted, p_weights,
                         3 * (p_date - p_first), p_challenges, p_amounts, p_targets, p_rewards);
  IF p_date <= v_was.joined_through THEN
    SELECT v_won.reward + a.xp, v_won.done || a.done INTO v_won.reward, v_won.done
      FROM public.advance_joined(p_user, p_workout, p_now, p_date, p_challenges, p_amounts) AS a;
  END IF;
  v_is.workouts := v_was.workouts + 1;
  v_is.volume := v_was.volume + v_volume;
  v_is.exercises := v_was.exercises + v_won.fresh;
  v_is.heaviest_kg := greatest(v_was.heaviest_kg, v_won.heaviest);
  v_is.challenges := v_was.challenges + coalesce(cardinality(v_won.done), 0);
  IF v_won.workouts = 1 THEN
    SELECT r.p_first, r.p_last, r.p_days, greatest(v_was.streak_longest, r.reached)
      INTO v_is.streak_first, v_is.streak_last, v_is.streak_days, v_is.streak_longest
      FROM public.add_to_runs(p_user, p_date, 1, v_was.streak_first, v_was.streak_last, v_was.streak_days) AS r;
  END IF;
  xp := v_won.gained + v_won.reward;
  v_is.xp := v_was.xp + xp;
  v_is.level := public.level_of(v_is.xp);
  level := v_is.level;
  leveled_up := v_is.level > v_was.level;
  UPDATE public.progress AS p
     SET xp = v_is.xp, level = v_is.level, workouts = v_is.workouts, volume = v_is.volume, exercises = v_is.exercises,
         heaviest_kg = v_is.heaviest_kg, challenges = v_is.challenges, streak_longest = v_is.streak_longest,
         streak_days = v_is.streak_days, streak_first = v_is.streak_first, streak_last = v_is.streak_last,
         updated_at = p_now
   WHERE p.user_id = p_user;
  IF leveled_up OR v_won.fresh > 0 OR v_won.records IS NOT NULL OR v_won.done IS NOT NULL OR v_won.workouts = 1
     OR v_is.workouts = ANY ('{1,10,50,100,365,1000}') OR p_workout_marks IS NULL
     OR width_bucket(v_was.workouts, p_workout_marks) < width_bucket(v_is.workouts, p_workout_marks)
     OR width_bucket(v_was.volume, p_volume_marks) < width_bucket(v_is.volume, p_volume_marks)
  THEN
    milestones := public.reach(v_was, v_is, p_now, v_won.records[:5], v_won.weights[:5]);
    completed := public.challenge_data(v_won.done);
  END IF;
END $$;

-- Adds a workout to its date, to the bests of its exercises and to the three DAILY challenges behind place p_slot, in one
-- statement. `workouts` of the date; `gained`: XP by its bound; `fresh`: exercises that were never done before; `records`
-- and their `weights`, the heaviest first; `reward`: XP of the challenges that it completes, `done`.
CREATE OR REPLACE FUNCTION add_up(
  p_user uuid, p_workout uuid, p_now timestamptz, p_performed_at timestamptz, p_date date, p_worth integer,
  p_volume double precision, p_lifted uuid[], p_weights double precision[], p_slot integer, p_challenges uuid[],
  p_amounts double precision[], p_targets double precision[], p_rewards integer[],
  OUT workouts integer, OUT gained integer, OUT fresh integer, OUT heaviest double precision, OUT records uuid[],
  OUT weights double precision[], OUT reward integer, OUT done uuid[]
) LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
  WITH day AS (
    INSERT INTO public.training_days AS d (user_id, local_date, workouts, xp, worth, volume)
    VALUES (p_user, p_date, 1, p_worth, p_worth, p_volume)
    ON CONFLICT (user_id, local_date) DO UPDATE
    SET workouts = d.workouts + 1, worth = d.worth + p_worth, xp = least(600, d.worth + p_worth), volume = d.volume + p_volume
    RETURNING d.workouts, d.xp - least(600, d.worth - p_worth) AS gained
  ), better AS (
    INSERT INTO public.exercise_bests AS b (user_id, exercise_id, weight_kg, performed_at, workout_id)
    SELECT p_user, l.exercise_id, l.weight_kg, p_performed_at, p_workout
      FROM unnest(p_lifted, p_weights) AS l (exercise_id, weight_kg)
    ON CONFLICT (user_id, exercise_id) DO UPDATE
    SET weight_kg = excluded.weight_kg, previous_kg = b.weight_kg, performed_at = excluded.performed_at,
        workout_id = excluded.workout_id
    WHERE excluded.weight_kg > b.weight_kg
       OR (excluded.weight_kg = b.weight_kg
           AND (excluded.performed_at, excluded.workout_id) < (b.performed_at, b.workout_id))
    RETURNING b.exercise_id, b.weight_kg, b.previous_kg
  ), moved AS (
    INSERT INTO public.user_challenges AS c (user_id, starts_on, challenge_id, progress, target, reward_xp, completed_at,
                                             completed_by)
    SELECT p_user, p_date, p_challenges[n], p_amounts[n], p_targets[n], p_rewards[n],
           CASE WHEN p_amounts[n] >= p_targets[n] THEN p_now END, CASE WHEN p_amounts[n] >= p_targets[n] THEN p_workout END
      FROM generate_series(p_slot + 1, p_slot + 3) AS n WHERE p_amounts[n] > 0
    ON CONFLICT (user_id, starts_on, challenge_id) DO UPDATE
    SET progress = c.progress + excluded.progress,
        completed_at = coalesce(c.completed_at, CASE WHEN c.progress + excluded.progress >= c.target THEN p_now END),
        completed_by = coalesce(c.completed_by, CASE WHEN c.progress + excluded.progress >= c.target THEN p_workout END)
    RETURNING c.challenge_id, c.reward_xp, c.completed_by
  )
  SELECT day.workouts, day.gained, b.fresh, b.heaviest, b.records, b.weights, m.reward, m.done
    INTO workouts, gained, fresh, heaviest, records, weights, reward, done
    FROM day,
         (SELECT count(*) FILTER (WHERE previous_kg IS NULL) AS fresh, max(weight_kg) AS heaviest,
                 array_agg(exercise_id ORDER BY weight_kg DESC, exercise_id) FILTER (WHERE weight_kg > previous_kg) AS records,
                 array_agg(weight_kg ORDER BY weight_kg DESC, exercise_id) FILTER (WHERE weight_kg > previous_kg) AS weights
            FROM better) AS b,
         (SELECT coalesce(sum(reward_xp), 0) AS reward, array_agg(challenge_id) AS done FROM moved
           WHERE completed_by = p_workout) AS m;
END $$;

-- Adds a workout to the COMMUNITY challenges of its week that the user has joined. `xp`: of those that it completes, `done`.
CREATE OR REPLACE FUNCTION advance_joined(
  p_user uuid, p_workout uuid, p_now timestamptz, p_date date, p_challenges uuid[], p_amounts double precision[],
  OUT xp integer, OUT done uuid[]
) LANGUAGE sql SECURITY DEFINER AS $$
  WITH moved AS (
    UPDATE public.user_challenges AS c
       SET progress = c.progress + a.amount,
           completed_at = coalesce(c.completed_at, CASE WHEN c.progress + a.amount >= c.target THEN p_now END),
           completed_by = coalesce(c.completed_by, CASE WHEN c.progress + a.amount >= c.target THEN p_workout END)
      FROM unnest(p_challenges[10:], p_amounts[10:]) AS a (id, amount)
     WHERE c.user_id = p_user AND c.starts_on = date_trunc('week', p_date)::date AND c.challenge_id = a.id
       AND c.joined_at IS NOT NULL AND a.amount > 0
    RETURNING c.challenge_id, c.reward_xp, c.completed_by
  )
  SELECT coalesce(sum(reward_xp), 0)::integer, array_agg(challenge_id) FROM moved WHERE completed_by = p_workout
$$;

CREATE OR REPLACE FUNCTION challenge_data(p_challenges uuid[]) RETURNS json[] LANGUAGE sql STABLE AS $$
  SELECT array_agg(json_build_object('v', 1, 'challenge', json_build_object('slug', c.slug, 'name', c.name),
                                     'reward_xp', c.reward_xp)
                   ORDER BY c.slug)
    FROM public.challenges AS c WHERE c.id = ANY (p_challenges)
$$;

-- The n-th id behind a fresh one, of the same time: feeds that go by ids tell the cause first. The same again when all is
-- repeated.
CREATE OR REPLACE FUNCTION nth_id(p_id uuid, p_n integer) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (left(p_id::text, 24)
          || lpad(to_hex((('x' || right(p_id::text, 12))::bit(48)::bigint + 1 + p_n) & 281474976710655), 12, '0'))::uuid
$$;

-- Events of what was earned; p_public: what caused it was for followers too. Else they are the owner's alone.
CREATE OR REPLACE FUNCTION tell_earned(
  p_user uuid, p_account uuid, p_name text, p_event uuid, p_now timestamptz, p_public boolean,
  p_level integer, p_milestones json[], p_challenges json[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_owners text[] := CASE WHEN p_public THEN '{PUBLIC_PROFILE,PRIVATE}' ELSE '{PRIVATE}' END;
  v_data json;
  n integer := 0;
BEGIN
  IF p_level IS NOT NULL THEN
    PERFORM public.append_event(public.nth_id(p_event, 0), p_now, 'musclemap', 'level_up', 1, p_account, p_user, p_name,
                         CASE WHEN p_public THEN '{PUBLIC_PROFILE}' ELSE '{PRIVATE}' END::text[],
                         json_build_object('v', 1, 'level', p_level));
  END IF;
  FOREACH v_data IN ARRAY coalesce(p_milestones, '{}') LOOP
    n := n + 1;
    PERFORM public.append_event(public.nth_id(p_event, n), p_now, 'musclemap', 'milestone_achieved', 1, p_account, p_user, p_name,
                         v_owners, v_data);
  END LOOP;
  FOREACH v_data IN ARRAY coalesce(p_challenges, '{}') LOOP
    n := n + 1;
    PERFORM public.append_event(public.nth_id(p_event, n), p_now, 'musclemap', 'challenge_completed', 1, p_account, p_user, p_name,
                         v_owners, v_data);
  END LOOP;
END $$;

-- What log_workout of 0004 did, but for the event; `stored`: now, not by an earlier try or another request. The local date
-- is that of the zone which was the user's when it was performed.
CREATE OR REPLACE FUNCTION store_workout(
  p_user uuid, p_key text, p_input_hash bytea, p_now timestamptz, p_cost bigint, p_workout uuid, p_transaction uuid,
  p_performed_at timestamptz, p_note text, p_visibility text[], p_total_tu double precision,
  p_exercises uuid[], p_sets text[], p_muscles uuid[], p_units double precision[],
  OUT outcome text, OUT workout_id uuid, OUT charged bigint, OUT credits bigint, OUT version bigint,
  OUT stored boolean, OUT account_id uuid, OUT name text, OUT local_date date, OUT was progress
) LANGUAGE plpgsql AS $$
DECLARE
  v_user record;
  v_hash bytea;
BEGIN
  SELECT u.account_id, u.name, u.time_zone, u.zone_since, b.credits, b.version,
         public.unlimited_reason(u.trial_ends_at, u.subscribed_until, p_now) IS NOT NULL AS unlimited, p AS was
    INTO v_user
    FROM public.users AS u JOIN public.credit_balances AS b ON b.account_id = u.account_id
    LEFT JOIN public.progress AS p ON p.user_id = u.id
   WHERE u.id = p_user
     FOR UPDATE OF b;
  IF NOT FOUND THEN
    outcome := 'unknown_user';
    RETURN;
  END IF;
  account_id := v_user.account_id;
  name := v_user.name;
  was := v_user.was;
  credits := v_user.credits;
  version := v_user.version;
  charged := CASE WHEN v_user.unlimited THEN 0 ELSE p_cost END;
  IF p_performed_at < v_user.zone_since THEN
    v_user.time_zone := public.time_zone_at(p_user, p_performed_at);
  END IF;
  local_date := (p_performed_at AT TIME ZONE v_user.time_zone)::date;

  IF charged <= credits THEN
    INSERT INTO public.workouts AS w (id, user_id, account_id, idempotency_key, input_hash, performed_at, local_date, time_zone,
                               note, visibility, total_tu, charged, created_at)
    VALUES (p_workout, p_user, account_id, p_key, p_input_hash, p_performed_at, local_date, v_user.time_zone,
            p_note, p_visibility, p_total_tu, charged, p_now)
    ON CONFLICT (user_id, idempotency_key) DO NOTHING;
    stored := FOUND;
  END IF;
  IF stored THEN
    outcome := 'logged';
    workout_id := p_workout;
    INSERT INTO public.workout_exercises (workout_id, position, user_id, exercise_id, sets)
    SELECT p_workout, e.position, p_user, e.exercise_id, e.sets::jsonb
      FROM unnest(p_exercises, p_sets) WITH ORDINALITY AS e (exercise_id, sets, position);
    INSERT INTO public.workout_muscles (workout_id, muscle_id, user_id, training_units)
    SELECT p_workout, m.muscle_id, p_user, m.units FROM unnest(p_muscles, p_units) AS m (muscle_id, units);
    RETURN;
  END IF;

  SELECT w.id, w.charged, w.input_hash INTO workout_id, charged, v_hash
    FROM public.workouts AS w WHERE w.user_id = p_user AND w.idempotency_key = p_key;
  IF FOUND THEN
    outcome := CASE WHEN v_hash <> p_input_hash THEN 'mismatch' WHEN workout_id = p_workout THEN 'logged'
                    ELSE 'replayed' END;
  ELSIF NOT v_user.unlimited AND p_cost > credits THEN
    outcome := 'insufficient';
  ELSE  -- somebody holds the key whom this snapshot cannot see
    RAISE EXCEPTION 'the key was taken meanwhile' USING ERRCODE = 'serialization_failure';
  END IF;
END $$;

CREATE OR REPLACE FUNCTION time_zone_at(p_user uuid, p_at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT z.time_zone FROM public.user_time_zones AS z WHERE z.user_id = p_user AND z.since <= p_at ORDER BY z.since DESC LIMIT 1
$$;

-- The one way to write a workout: as the owner, for the transaction's user and no other; policies that each of its
-- statements checks would cost it a fifth. As in 0004, with what the workout earns (earn): `xp`, `leveled_up` and `milestones`, null where nothing was done now.
-- `level` is that of now in any case.
CREATE OR REPLACE FUNCTION log_workout(
  p_user uuid, p_key text, p_input_hash bytea, p_now timestamptz, p_cost bigint,
  p_workout uuid, p_transaction uuid, p_event uuid,
  p_performed_at timestamptz, p_note text, p_visibility text[], p_total_tu double precision,
  p_exercises uuid[], p_sets text[], p_muscles uuid[], p_units double precision[], p_data json,
  p_lifted uuid[], p_weights double precision[], p_first date, p_challenges uuid[], p_amounts double precision[],
  p_targets double precision[], p_rewards integer[], p_workout_marks double precision[], p_volume_marks double precision[],
  OUT outcome text, OUT workout_id uuid, OUT charged bigint, OUT credits bigint, OUT version bigint,
  OUT xp integer, OUT level integer, OUT leveled_up boolean, OUT milestones json[]
) LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  v_stored record;
  v_posted record;
  v_earned record;
BEGIN
  IF current_setting('transaction_isolation') <> 'serializable' THEN
    RAISE EXCEPTION 'log_workout needs SERIALIZABLE: run `make migrate`, which sets it for the role'
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  -- For the plans, to the end of the transaction, those of all functions below included: by indexes,
  -- and made once a session, where PostgreSQL would find it worth while to plan anew for the length of each array.
  PERFORM public.become(p_user), set_config('enable_seqscan', 'off', true),
          set_config('plan_cache_mode', 'force_generic_plan', true);
  v_stored := public.store_workout(p_user, p_key, p_input_hash, p_now, p_cost, p_workout, p_transaction, p_performed_at, p_note,
                            p_visibility, p_total_tu, p_exercises, p_sets, p_muscles, p_units);
  outcome := v_stored.outcome;
  workout_id := v_stored.workout_id;
  charged := v_stored.charged;
  credits := v_stored.credits;
  version := v_stored.version;
  IF v_stored.stored IS NOT TRUE THEN
    level := (v_stored.was).level;
    RETURN;
  END IF;
  IF charged > 0 THEN
    v_posted := public.post_credits(p_transaction, v_stored.account_id, 'workouts', -charged, 'workout', p_workout, p_now);
    credits := v_posted.credits;
    version := v_posted.version;
  END IF;
  PERFORM public.append_event(p_event, p_now, 'musclemap', 'workout_completed', 1, v_stored.account_id, p_user, v_stored.name,
                       p_visibility, p_data);
  v_earned := public.earn(p_user, v_stored.was, p_workout, p_now, p_performed_at, v_stored.local_date, p_total_tu,
                          p_lifted, p_weights, p_first, p_challenges, p_amounts, p_targets, p_rewards, p_workout_marks,
                          p_volume_marks);
  xp := v_earned.xp;
  level := v_earned.level;
  leveled_up := v_earned.leveled_up;
  milestones := v_earned.milestones;
  IF leveled_up OR milestones IS NOT NULL OR v_earned.completed IS NOT NULL THEN
    PERFORM public.tell_earned(p_user, v_stored.account_id, v_stored.name, p_event, p_now, 'PUBLIC_PROFILE' = ANY (p_visibility),
                        CASE WHEN leveled_up THEN level END, milestones, v_earned.completed);
  END IF;
END $$;

-- As API processes of the release before call it: they know no challenges.
CREATE OR REPLACE FUNCTION log_workout(
  p_user uuid, p_key text, p_input_hash bytea, p_now timestamptz, p_cost bigint,
  p_workout uuid, p_transaction uuid, p_event uuid,
  p_performed_at timestamptz, p_note text, p_visibility text[], p_total_tu double precision,
  p_exercises uuid[], p_sets text[], p_muscles uuid[], p_units double precision[], p_data json,
  OUT outcome text, OUT workout_id uuid, OUT charged bigint, OUT credits bigint, OUT version bigint
) LANGUAGE sql AS $$
  WITH lifted AS (
    SELECT e.exercise_id, coalesce(max((s.one ->> 'weight_kg')::double precision), 0) AS weight_kg
      FROM unnest(p_exercises, p_sets) AS e (exercise_id, sets), jsonb_array_elements(e.sets::jsonb) AS s (one)
     GROUP BY e.exercise_id
  )
  SELECT w.outcome, w.workout_id, w.charged, w.credits, w.version
    FROM log_workout(p_user, p_key, p_input_hash, p_now, p_cost, p_workout, p_transaction, p_event, p_performed_at, p_note,
                     p_visibility, p_total_tu, p_exercises, p_sets, p_muscles, p_units, p_data,
                     ARRAY(SELECT exercise_id FROM lifted ORDER BY exercise_id),
                     ARRAY(SELECT weight_kg FROM lifted ORDER BY exercise_id), p_performed_at::date, '{}', '{}', '{}', '{}',
                     NULL, NULL) AS w
$$;

-- The DAILY challenges of today, by the zone of each, for those who trained since p_since of at most p_batch users above
-- p_after; and away with those of the week before that nobody began, also of whoever stopped within it. `assigned`: how
-- many are new; `last`: the last of these users, null behind the last one. Nothing waits for it: a workout and a page find
-- the same three without it.
CREATE OR REPLACE FUNCTION assign_daily_challenges(
  p_now timestamptz, p_since timestamptz, p_after uuid, p_batch integer, OUT assigned bigint, OUT last uuid
) LANGUAGE sql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp
-- By the keys, for a batch of users: what a table has grown by since it was looked at would be read whole for each.
SET enable_seqscan TO off SET enable_bitmapscan TO off SET enable_hashjoin TO off SET enable_mergejoin TO off AS $$
  WITH pool AS MATERIALIZED (
    SELECT id, target, reward_xp, row_number() OVER (ORDER BY id) AS place FROM challenges
     WHERE kind = 'DAILY' AND NOT retired
  ), people AS MATERIALIZED (
    SELECT p.user_id, (p_now AT TIME ZONE u.time_zone)::date AS today, p.updated_at >= p_since AS trains
      FROM progress AS p JOIN users AS u ON u.id = p.user_id
     WHERE p.user_id > p_after AND p.updated_at >= p_since - interval '8 days' ORDER BY p.user_id LIMIT p_batch
  ), dropped AS (
    DELETE FROM user_challenges AS c USING people AS p
     WHERE c.user_id = p.user_id AND c.starts_on < p.today AND c.starts_on >= p.today - 8 AND c.progress = 0
       AND c.joined_at IS NULL
  ), made AS (
    INSERT INTO user_challenges (user_id, starts_on, challenge_id, progress, target, reward_xp)
    SELECT p.user_id, p.today, c.id, 0, c.target, c.reward_xp
      FROM (SELECT user_id, today, unnest(daily_places(user_id, today, (SELECT count(*) FROM pool)::integer)) AS place
              FROM people WHERE trains) AS p
      JOIN pool AS c USING (place)
     ORDER BY p.user_id, c.id
    ON CONFLICT DO NOTHING
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM made), (SELECT user_id FROM people ORDER BY user_id DESC LIMIT 1)
$$;

-- A user has progress from the first moment, so that no first workout has to look for it and find nothing.
CREATE OR REPLACE FUNCTION begin_progress() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO progress (user_id, updated_at) VALUES (NEW.id, NEW.created_at) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER begin_progress AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION begin_progress();

-- --- Counting what was stored before: users without progress, by their ids, a batch a transaction.
CREATE OR REPLACE PROCEDURE count_everybody(p_batch integer) LANGUAGE plpgsql AS $$
DECLARE
  v_batch uuid[];
BEGIN
  LOOP
    v_batch := ARRAY(SELECT u.id FROM users AS u LEFT JOIN progress AS p ON p.user_id = u.id
                      WHERE p.user_id IS NULL ORDER BY u.id LIMIT p_batch);
    EXIT WHEN cardinality(v_batch) = 0;
    PERFORM recount_progress(v_batch);
    COMMIT;
  END LOOP;
END $$;
CALL count_everybody(200);
