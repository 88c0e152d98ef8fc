-- outside a transaction
-- What workouts earn: XP, level, streaks, records, milestones, challenges, achievements; 0023 has what writes it. Each
-- statement bears being run again.
--
-- Nothing here reads the history. Under SERIALIZABLE a look into an index locks its page against all who insert there, so
-- a workout looks at rows that are updated in place (progress), and inserts the rest ON CONFLICT, which takes no such
-- lock; only a late workout looks for the run of dates that it mends.

ALTER TABLE users ADD COLUMN IF NOT EXISTS zone_since timestamptz;  -- of time_zone; null = it was never changed
ALTER TABLE progress
  ADD COLUMN IF NOT EXISTS streak_first    date,                        -- of the newest run of dates
  ADD COLUMN IF NOT EXISTS exercises       integer NOT NULL DEFAULT 0,  -- different ones
  ADD COLUMN IF NOT EXISTS heaviest_kg     double precision NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS challenges      integer NOT NULL DEFAULT 0,  -- completed
  ADD COLUMN IF NOT EXISTS joined_through  date;                        -- end of the newest week with a joined challenge
ALTER TABLE training_days ADD COLUMN IF NOT EXISTS worth integer NOT NULL DEFAULT 0 CHECK (worth >= 0);  -- without the 600

-- Runs of dates without a hole, but for the newest of a user, which stands in progress.
CREATE TABLE IF NOT EXISTS streak_runs (
  user_id  uuid NOT NULL,
  first    date NOT NULL,
  last     date NOT NULL CHECK (last >= first),
  days     integer NOT NULL CHECK (days >= 0),  -- with a workout
  PRIMARY KEY (user_id, first)
);
-- The most weight of each exercise that a user has done; 0 where there never was a weight.
CREATE TABLE IF NOT EXISTS exercise_bests (
  user_id       uuid NOT NULL,
  exercise_id   uuid NOT NULL,
  weight_kg     double precision NOT NULL CHECK (weight_kg >= 0),
  previous_kg   double precision,      -- the best before it; null = there was none
  performed_at  timestamptz NOT NULL,  -- of the first workout with that weight
  workout_id    uuid NOT NULL,
  PRIMARY KEY (user_id, exercise_id)
) WITH (fillfactor = 80);
CREATE TABLE IF NOT EXISTS milestones (
  user_id      uuid NOT NULL,
  kind         text NOT NULL CHECK (kind IN ('workouts', 'streak', 'record')),
  value        double precision NOT NULL,
  exercise_id  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',  -- of a record
  at           timestamptz NOT NULL,
  PRIMARY KEY (user_id, kind, value, exercise_id)  -- once each, whatever is repeated
);
-- How far a user is: DAILY from the first workout of the date that helps, COMMUNITY from joining.
CREATE TABLE IF NOT EXISTS user_challenges (
  user_id       uuid NOT NULL,
  starts_on     date NOT NULL,  -- the date, or the Monday of the week
  challenge_id  uuid NOT NULL,
  progress      double precision NOT NULL CHECK (progress >= 0),
  target        double precision NOT NULL CHECK (target > 0),
  reward_xp     integer NOT NULL CHECK (reward_xp >= 0),
  joined_at     timestamptz,    -- of COMMUNITY
  completed_at  timestamptz,
  completed_by  uuid,           -- the workout, or the user who joined with enough
  PRIMARY KEY (user_id, starts_on, challenge_id)
) WITH (fillfactor = 80);
CREATE TABLE IF NOT EXISTS earned_achievements (
  user_id         uuid NOT NULL,
  achievement_id  uuid NOT NULL,
  earned_at       timestamptz NOT NULL,
  PRIMARY KEY (user_id, achievement_id)
);

-- Reference data.
CREATE TABLE IF NOT EXISTS archetypes (
  id           uuid PRIMARY KEY,
  slug         text NOT NULL UNIQUE,
  name         text NOT NULL,
  description  text NOT NULL,
  muscle_ids   uuid[] NOT NULL  -- what it trains, the most important first
);
CREATE TABLE IF NOT EXISTS achievements (
  id           uuid PRIMARY KEY,
  slug         text NOT NULL UNIQUE,
  name         text NOT NULL,
  description  text NOT NULL,
  metric       text NOT NULL,  -- a column of progress
  threshold    double precision NOT NULL CHECK (threshold > 0),
  given        boolean NOT NULL DEFAULT false  -- to all who had reached it when it came
);
CREATE INDEX IF NOT EXISTS achievements_metric ON achievements (metric, threshold);
CREATE TABLE IF NOT EXISTS challenges (
  id           uuid PRIMARY KEY,
  slug         text NOT NULL UNIQUE,
  name         text NOT NULL,
  description  text NOT NULL,
  kind         text NOT NULL CHECK (kind IN ('DAILY', 'COMMUNITY')),
  metric       text NOT NULL,
  of_kind      text NOT NULL,  -- '' or what alone counts: muscle, equipment, exercise, ...
  of_slug      text NOT NULL,  -- ... and which
  target       double precision NOT NULL CHECK (target > 0),
  reward_xp    integer NOT NULL CHECK (reward_xp > 0),
  retired      boolean NOT NULL DEFAULT false  -- no longer in the pool
);

-- --- Rules, each the same in Python (api/progress/rules.py, api/challenges/rules.py) and held against it.

CREATE OR REPLACE FUNCTION workout_xp(p_total_tu double precision) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT least(200, 10 + floor(p_total_tu / 50))::integer $$;

CREATE OR REPLACE FUNCTION level_of(p_xp bigint) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT (1 + floor((sqrt(1 + p_xp / 12.5::double precision) - 1) / 2))::integer $$;

-- Sums of such figures are exact, so that their order does not show.
CREATE OR REPLACE FUNCTION in_steps(p_figure double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT round(p_figure * 1024) / 1024 $$;

-- Three of the places 1 to p_pool, the same for a user and a date whoever asks; fewer where the pool has fewer.
CREATE OR REPLACE FUNCTION daily_places(p_user uuid, p_date date, p_pool integer) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v_hash text := md5('musclemap.daily.1 ' || p_user || ' ' || (p_date - DATE '1970-01-01'));
  a integer; b integer; c integer;
BEGIN
  IF p_pool < 3 THEN
    RETURN ARRAY(SELECT generate_series(1, p_pool));
  END IF;
  a := ('x' || left(v_hash, 7))::bit(28)::integer % p_pool;
  b := ('x' || substr(v_hash, 8, 7))::bit(28)::integer % (p_pool - 1);
  c := ('x' || substr(v_hash, 15, 7))::bit(28)::integer % (p_pool - 2);
  IF b >= a THEN b := b + 1; END IF;
  IF c >= least(a, b) THEN c := c + 1; END IF;
  IF c >= greatest(a, b) THEN c := c + 1; END IF;
  RETURN ARRAY[a + 1, b + 1, c + 1];
END $$;

-- --- Runs of dates. p_first, p_last and p_days are the newest run of a user, before and after p_date (which was in none,
-- or is there without a workout) came with p_counts: 1 for a date with a workout, 0 for one that a change of the time
-- zone cut short. `reached`: days of the run in which it is now.
CREATE OR REPLACE FUNCTION add_to_runs(
  p_user uuid, p_date date, p_counts integer,
  INOUT p_first date, INOUT p_last date, INOUT p_days integer, OUT reached integer
) LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  v_first date := p_date;
  v_last date := p_date;
  v_days integer := p_counts;
  v_run record;
BEGIN
  IF p_last IS NULL OR p_date > p_last + 1 THEN
    IF p_last IS NOT NULL THEN
      INSERT INTO public.streak_runs (user_id, first, last, days) VALUES (p_user, p_first, p_last, p_days);
    END IF;
    p_first := p_date; p_last := p_date; p_days := p_counts; reached := p_counts;
    RETURN;
  ELSIF p_date >= p_first THEN
    p_last := greatest(p_last, p_date); p_days := p_days + p_counts; reached := p_days;
    RETURN;
  END IF;
  SELECT r.first, r.last, r.days INTO v_run FROM public.streak_runs AS r
   WHERE r.user_id = p_user AND r.first <= p_date ORDER BY r.first DESC LIMIT 1;
  IF v_run.last >= p_date - 1 THEN
    v_first := v_run.first; v_last := greatest(v_run.last, p_date); v_days := v_run.days + p_counts;
  END IF;
  IF p_date = p_first - 1 THEN
    DELETE FROM public.streak_runs AS r WHERE r.user_id = p_user AND r.first = v_first;
    p_first := v_first; p_days := p_days + v_days; reached := p_days;
    RETURN;
  END IF;
  DELETE FROM public.streak_runs AS r WHERE r.user_id = p_user AND r.first = p_date + 1 RETURNING r.last, r.days INTO v_run;
  IF FOUND THEN
    v_last := v_run.last; v_days := v_days + v_run.days;
  END IF;
  INSERT INTO public.streak_runs AS r (user_id, first, last, days) VALUES (p_user, v_first, v_last, v_days)
  ON CONFLICT (user_id, first) DO UPDATE SET last = excluded.last, days = excluded.days;
  reached := v_days;
END $$;

-- --- Counting anew: everything that workouts and completed challenges come to, of p_users, set-wise, whatever stood
-- there; without the workout p_but. Milestones that were passed are noted and not announced.
CREATE OR REPLACE FUNCTION recount_progress(p_users uuid[], p_but uuid DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM FROM users AS u JOIN credit_balances AS b ON b.account_id = u.account_id
    WHERE u.id = ANY (p_users) ORDER BY b.account_id FOR UPDATE OF b;
  DELETE FROM training_days WHERE user_id = ANY (p_users) AND workouts > 0;
  DELETE FROM streak_runs WHERE user_id = ANY (p_users);
  DELETE FROM exercise_bests WHERE user_id = ANY (p_users);
  INSERT INTO training_days AS d (user_id, local_date, workouts, xp, worth, volume)
  SELECT w.user_id, w.local_date, count(*), least(600, sum(workout_xp(w.total_tu))), sum(workout_xp(w.total_tu)),
         sum(in_steps(w.total_tu))
    FROM workouts AS w WHERE w.user_id = ANY (p_users) AND w.id IS DISTINCT FROM p_but
   GROUP BY w.user_id, w.local_date
  ON CONFLICT (user_id, local_date) DO UPDATE
  SET workouts = excluded.workouts, xp = excluded.xp, worth = excluded.worth, volume = excluded.volume;
  INSERT INTO streak_runs (user_id, first, last, days)
  SELECT user_id, min(local_date), max(local_date), count(*) FILTER (WHERE workouts > 0)
    FROM (SELECT user_id, local_date, workouts,
                 local_date - (row_number() OVER (PARTITION BY user_id ORDER BY local_date))::integer AS island
            FROM training_days WHERE user_id = ANY (p_users)) AS d
   GROUP BY user_id, island;
  INSERT INTO exercise_bests (user_id, exercise_id, weight_kg, performed_at, workout_id)
  SELECT DISTINCT ON (w.user_id, e.exercise_id) w.user_id, e.exercise_id, s.weight_kg, w.performed_at, w.id
    FROM workouts AS w JOIN workout_exercises AS e ON e.workout_id = w.id
   CROSS JOIN LATERAL (SELECT coalesce(max((one ->> 'weight_kg')::double precision), 0) AS weight_kg
                         FROM jsonb_array_elements(e.sets) AS one) AS s
   WHERE w.user_id = ANY (p_users) AND w.id IS DISTINCT FROM p_but
   ORDER BY w.user_id, e.exercise_id, s.weight_kg DESC, w.performed_at, w.id;
  INSERT INTO progress AS p (user_id, xp, level, workouts, volume, streak_longest, streak_days, streak_first, streak_last,
                             exercises, heaviest_kg, challenges, updated_at)
  SELECT u.id, d.xp + c.xp, level_of(d.xp + c.xp), d.workouts, d.volume, coalesce(r.longest, 0), coalesce(n.days, 0),
         n.first, n.last, b.exercises, b.heaviest, c.completed, now()
    FROM unnest(p_users) AS u (id)
   CROSS JOIN LATERAL (SELECT coalesce(sum(xp), 0) AS xp, coalesce(sum(workouts), 0) AS workouts,
                              coalesce(sum(volume), 0) AS volume FROM training_days WHERE user_id = u.id) AS d
   CROSS JOIN LATERAL (SELECT coalesce(sum(reward_xp), 0) AS xp, count(*) AS completed FROM user_challenges
                        WHERE user_id = u.id AND completed_at IS NOT NULL) AS c
   CROSS JOIN LATERAL (SELECT count(*) AS exercises, coalesce(max(weight_kg), 0) AS heaviest FROM exercise_bests
                        WHERE user_id = u.id) AS b
   CROSS JOIN LATERAL (SELECT max(days) AS longest FROM streak_runs WHERE user_id = u.id) AS r
    LEFT JOIN LATERAL (SELECT first, last, days FROM streak_runs WHERE user_id = u.id ORDER BY first DESC LIMIT 1) AS n
      ON true
  ON CONFLICT (user_id) DO UPDATE
  SET (xp, level, workouts, volume, streak_longest, streak_days, streak_first, streak_last, exercises, heaviest_kg,
       challenges, updated_at) = (excluded.xp, excluded.level, excluded.workouts, excluded.volume,
       greatest(p.streak_longest, excluded.streak_longest), excluded.streak_days, excluded.streak_first,
       excluded.streak_last, excluded.exercises, excluded.heaviest_kg, excluded.challenges, excluded.updated_at);
  DELETE FROM streak_runs AS r USING progress AS p WHERE p.user_id = ANY (p_users) AND r.user_id = p.user_id
     AND r.first = p.streak_first;
  INSERT INTO milestones (user_id, kind, value, at)
  SELECT p.user_id, m.kind, m.value, now()
    FROM progress AS p JOIN milestone_values() AS m ON m.value <= CASE m.kind WHEN 'workouts' THEN p.workouts
                                                                              ELSE p.streak_longest END
   WHERE p.user_id = ANY (p_users)
  ON CONFLICT DO NOTHING;
END $$;

CREATE OR REPLACE FUNCTION milestone_values(OUT kind text, OUT value integer) RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT 'workouts', unnest('{1,10,50,100,365,1000}'::integer[])
  UNION ALL SELECT 'streak', unnest('{7,30,100,365}'::integer[])
$$;

-- --- What comes of having p_is instead of p_was: achievements, and milestones, the data of whose events it returns.
-- p_exercises and p_weights are records.
CREATE OR REPLACE FUNCTION reach(p_was progress, p_is progress, p_now timestamptz, p_exercises uuid[], p_weights double precision[])
RETURNS json[] LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  v_told json[];
BEGIN
  INSERT INTO public.earned_achievements (user_id, achievement_id, earned_at)
  SELECT p_is.user_id, a.id, p_now
    FROM (VALUES ('workouts', p_was.workouts::double precision, p_is.workouts::double precision),
                 ('streak_longest', p_was.streak_longest, p_is.streak_longest), ('level', p_was.level, p_is.level),
                 ('volume', p_was.volume, p_is.volume), ('heaviest_kg', p_was.heaviest_kg, p_is.heaviest_kg),
                 ('exercises', p_was.exercises, p_is.exercises), ('challenges', p_was.challenges, p_is.challenges)
         ) AS m (metric, was, reached)
    JOIN public.achievements AS a ON a.metric = m.metric AND a.threshold > m.was AND a.threshold <= m.reached
   WHERE m.reached > m.was
  ON CONFLICT DO NOTHING;
  IF p_is.workouts = ANY ('{1,10,50,100,365,1000}') OR p_is.streak_longest > p_was.streak_longest
     OR cardinality(p_exercises) > 0 THEN
    WITH made AS (
      INSERT INTO public.milestones (user_id, kind, value, exercise_id, at)
      SELECT p_is.user_id, v.kind, v.value, '00000000-0000-0000-0000-000000000000', p_now
        FROM public.milestone_values() AS v
       WHERE (v.kind = 'workouts' AND v.value > p_was.workouts AND v.value <= p_is.workouts)
          OR (v.kind = 'streak' AND v.value > p_was.streak_longest AND v.value <= p_is.streak_longest)
      UNION ALL
      SELECT p_is.user_id, 'record', r.weight_kg, r.exercise_id, p_now
        FROM unnest(p_exercises, p_weights) AS r (exercise_id, weight_kg)
      ON CONFLICT DO NOTHING
      RETURNING kind, value, exercise_id
    )
    SELECT array_agg(json_strip_nulls(json_build_object('v', 1, 'kind', m.kind, 'value', m.value, 'exercise', e.slug))
                     ORDER BY m.kind DESC, m.value)
      INTO v_told FROM made AS m LEFT JOIN public.exercises AS e ON e.id = m.exercise_id;
  END IF;
  RETURN v_told;
END $$;

-- --- The time zone, by which dates fall. A clock that is put forward cuts the dates on both sides of that instant short:
-- they are no hole, and count nothing. One that is put back repeats a date, which counts once. Returns what happened:
--   set, same (it was that already), unknown_user, too_many (p_changes_max within 30 days)
CREATE OR REPLACE FUNCTION set_time_zone(p_user uuid, p_zone text, p_now timestamptz, p_changes_max integer, p_event uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp
SET enable_seqscan TO off AS $$
DECLARE
  v_user record;
  v_at timestamptz;
  v_was progress;
  v_is progress;
  v_date date;
  v_reached integer;
BEGIN
  PERFORM become(p_user);
  SELECT u.account_id, u.name, u.time_zone, u.zone_since INTO v_user
    FROM users AS u JOIN credit_balances AS b ON b.account_id = u.account_id WHERE u.id = p_user FOR UPDATE OF b;
  IF NOT FOUND THEN
    RETURN 'unknown_user';
  ELSIF v_user.time_zone = p_zone THEN
    RETURN 'same';
  ELSIF p_changes_max <= (SELECT count(*) FROM user_time_zones
                           WHERE user_id = p_user AND since > p_now - interval '30 days') THEN
    RETURN 'too_many';
  END IF;
  v_at := greatest(p_now, v_user.zone_since + interval '1 microsecond');  -- clocks of APIs apart
  IF v_user.zone_since IS NULL THEN
    INSERT INTO user_time_zones (user_id, since, time_zone) VALUES (p_user, '-infinity', v_user.time_zone);
  END IF;
  INSERT INTO user_time_zones (user_id, since, time_zone) VALUES (p_user, v_at, p_zone);
  UPDATE users SET time_zone = p_zone, zone_since = v_at, updated_at = p_now WHERE id = p_user;
  IF v_at AT TIME ZONE p_zone <= v_at AT TIME ZONE v_user.time_zone THEN
    RETURN 'set';
  END IF;
  SELECT p.* INTO v_was FROM progress AS p WHERE p.user_id = p_user;
  IF NOT FOUND THEN
    PERFORM recount_progress(ARRAY[p_user]);
    SELECT p.* INTO STRICT v_was FROM progress AS p WHERE p.user_id = p_user;
  END IF;
  v_is := v_was;
  FOR v_date IN SELECT generate_series((v_at AT TIME ZONE v_user.time_zone)::date::timestamp,
                                       (v_at AT TIME ZONE p_zone)::date::timestamp, interval '1 day') LOOP
    INSERT INTO training_days (user_id, local_date, workouts, xp, volume) VALUES (p_user, v_date, 0, 0, 0)
    ON CONFLICT DO NOTHING;
    CONTINUE WHEN NOT FOUND;
    SELECT r.p_first, r.p_last, r.p_days, r.reached
      INTO v_is.streak_first, v_is.streak_last, v_is.streak_days, v_reached
      FROM add_to_runs(p_user, v_date, 0, v_is.streak_first, v_is.streak_last, v_is.streak_days) AS r;
    v_is.streak_longest := greatest(v_is.streak_longest, v_reached);
  END LOOP;
  UPDATE progress AS p
     SET streak_first = v_is.streak_first, streak_last = v_is.streak_last, streak_days = v_is.streak_days,
         streak_longest = v_is.streak_longest, updated_at = p_now WHERE p.user_id = p_user;
  PERFORM tell_earned(p_user, v_user.account_id, v_user.name, p_event, p_now, false, NULL,
                      reach(v_was, v_is, p_now, NULL, NULL), NULL);
  RETURN 'set';
END $$;

-- Achievements that came with this release, to all who have reached them; returns how many were given.
CREATE OR REPLACE FUNCTION give_achievements() RETURNS bigint LANGUAGE sql AS $$
  WITH given AS (
    INSERT INTO earned_achievements (user_id, achievement_id, earned_at)
    SELECT p.user_id, a.id, now()
      FROM achievements AS a
      JOIN progress AS p
        ON a.threshold <= CASE a.metric WHEN 'workouts' THEN p.workouts WHEN 'streak_longest' THEN p.streak_longest
                                        WHEN 'level' THEN p.level WHEN 'volume' THEN p.volume
                                        WHEN 'heaviest_kg' THEN p.heaviest_kg WHEN 'exercises' THEN p.exercises
                                        WHEN 'challenges' THEN p.challenges END
     WHERE NOT a.given
    ON CONFLICT DO NOTHING
    RETURNING 1
  ), marked AS (UPDATE achievements SET given = true WHERE NOT given)
  SELECT count(*) FROM given
$$;

-- Joins a COMMUNITY challenge of the week that begins on p_starts_on, with what the workouts of that week came to. False
-- where it was joined before. What joining completes is told to the user alone.
CREATE OR REPLACE FUNCTION join_challenge(
  p_user uuid, p_now timestamptz, p_challenge uuid, p_starts_on date, p_progress double precision, p_target double precision,
  p_reward integer, p_event uuid
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp
SET enable_seqscan TO off AS $$
DECLARE
  v_user record;
  v_was progress;
  v_is progress;
  v_done boolean := p_progress >= p_target;
BEGIN
  PERFORM ask_as(p_user);
  SELECT u.account_id, u.name INTO STRICT v_user FROM users AS u WHERE u.id = p_user;
  SELECT p.* INTO v_was FROM progress AS p WHERE p.user_id = p_user;
  IF NOT FOUND THEN
    PERFORM recount_progress(ARRAY[p_user]);
    SELECT p.* INTO STRICT v_was FROM progress AS p WHERE p.user_id = p_user;
  END IF;
  INSERT INTO user_challenges (user_id, starts_on, challenge_id, progress, target, reward_xp, joined_at, completed_at,
                               completed_by)
  VALUES (p_user, p_starts_on, p_challenge, p_progress, p_target, p_reward, p_now, CASE WHEN v_done THEN p_now END,
          CASE WHEN v_done THEN p_user END)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  v_is := v_was;
  v_is.joined_through := greatest(v_was.joined_through, p_starts_on + 6);
  IF v_done THEN
    v_is.challenges := v_was.challenges + 1;
    v_is.xp := v_was.xp + p_reward;
    v_is.level := level_of(v_is.xp);
  END IF;
  UPDATE progress AS p
     SET joined_through = v_is.joined_through, challenges = v_is.challenges, xp = v_is.xp, level = v_is.level,
         updated_at = p_now WHERE p.user_id = p_user;
  PERFORM reach(v_was, v_is, p_now, NULL, NULL);
  PERFORM tell_earned(p_user, v_user.account_id, v_user.name, p_event, p_now, false,
                      CASE WHEN v_is.level > v_was.level THEN v_is.level END, NULL,
                      CASE WHEN v_done THEN challenge_data(ARRAY[p_challenge]) END);
  RETURN true;
END $$;
