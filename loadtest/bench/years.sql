-- Fills a migrated, empty database as years of use leave it: every table, books that the auditor finds sound. Run by
-- its owner, or a superuser. The sizes are settings of the session:
--   years.users     accounts
--   years.workouts  workouts in all, spread over a year, each public, charged and numbered
--   years.heavy     of them by the first user
-- The rows are made in sets, so that a million workouts are a matter of minutes.

SET synchronous_commit TO off;
SET work_mem TO '256MB';
SET jit TO off;
SET statement_timeout TO 0;

CREATE SCHEMA years;
CREATE FUNCTION years.id(at timestamptz, salt text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(h, 1, 3) || '8'
          || substr(h, 4, 15))::uuid FROM md5(salt) AS h
$$;
CREATE FUNCTION years.text(at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
CREATE TABLE years.span AS
SELECT current_setting('years.users')::int AS users, current_setting('years.workouts')::int AS workouts,
       current_setting('years.heavy')::int AS heavy, date_trunc('day', now()) - interval '366 days' AS began,
       interval '365 days' AS lasts;
SELECT make_month(t, (s.began AT TIME ZONE 'UTC' + make_interval(months => n))::date)
  FROM years.span AS s, unnest('{activity_events,stream_positions}'::text[]) AS t, generate_series(0, 13) AS n;

CREATE UNLOGGED TABLE years.users AS
SELECT n, at, years.id(at, 'user' || n) AS id, years.id(at, 'account' || n) AS account_id,
       years.id(at, 'welcome' || n) AS welcome
  FROM (SELECT n, began + lasts * (0.98 * (n - 1) / users) AS at FROM years.span, generate_series(1, users) AS n) AS u;
-- What two exercises come to, in 200 kinds.
CREATE UNLOGGED TABLE years.kinds AS
WITH numbered AS (
  SELECT id, slug, name, row_number() OVER (ORDER BY slug) - 1 AS n, count(*) OVER () AS total FROM exercises
), picked AS (
  SELECT k, p, e.id, e.slug, e.name FROM generate_series(0, 199) AS k CROSS JOIN generate_series(1, 2) AS p
    JOIN numbered AS e ON e.n = (k * 7 + p * 37) % e.total
), exercises_of AS (
  SELECT k, array_agg(id ORDER BY p) AS exercise_ids,
         json_agg(json_build_object('slug', slug, 'name', name, 'sets', 3, 'reps', 30) ORDER BY p)::text AS exercises
    FROM picked GROUP BY k
), units AS (
  SELECT k, m.id, m.slug, m.name, sum(a.activation * 30 / m.bias_weight) AS units
    FROM picked AS p JOIN exercise_muscles AS a ON a.exercise_id = p.id JOIN muscles AS m ON m.id = a.muscle_id
   GROUP BY k, m.id, m.slug, m.name
), muscles_of AS (
  SELECT k, array_agg(id) AS muscle_ids, array_agg(units) AS units, sum(units) AS total,
         json_agg(json_build_object('slug', slug, 'name', name, 'training_units', units) ORDER BY units DESC)::text
           AS muscles
    FROM units GROUP BY k
)
SELECT * FROM exercises_of JOIN muscles_of USING (k);
CREATE UNLOGGED TABLE years.workouts AS
SELECT w.g, w.at, w.g % 200 AS k, u.n, u.id AS user_id, u.account_id, years.id(w.at, 'workout' || g) AS id,
       years.id(w.at, 'charge' || g) AS charge, years.id(w.at, 'event' || g) AS event_id,
       row_number() OVER (PARTITION BY u.n ORDER BY g) AS ordinal
  FROM (
    SELECT g, began + lasts * (g::float8 / workouts) AS at,
           CASE WHEN g * heavy::bigint / workouts > (g - 1) * heavy::bigint / workouts THEN 1
                ELSE 2 + floor((users - 2) * (g::float8 / workouts)
                               * power(hashint4(g)::bigint / 4294967296.0 + 0.5, 1.7))::int END AS n
      FROM years.span, generate_series(1, workouts) AS g
  ) AS w JOIN years.users AS u USING (n);
ANALYZE years.users, years.workouts, years.kinds;

INSERT INTO accounts (id, kind, created_at) SELECT account_id, 'user', at FROM years.users;
INSERT INTO users (id, account_id, email, name, password_hash, trial_ends_at, created_at, updated_at)
SELECT id, account_id, 'u' || n || '@example.org', 'User ' || n, '', at, at, at FROM years.users;
INSERT INTO sessions (id, user_id, generation, created_at, expires_at, revoked_at, revoked_reason)
SELECT years.id(at, 'session' || n || '.' || i), id, 2, at + i * interval '1 day', at + (i + 7) * interval '1 day',
       CASE WHEN i = 3 THEN at + interval '4 days' END, CASE WHEN i = 3 THEN 'logout' END
  FROM years.users, generate_series(1, 3) AS i;
INSERT INTO refresh_tokens (token_hash, session_id, generation, created_at, expires_at, rotated_at)
SELECT sha256((s.id || '.' || i)::bytea), s.id, i, s.created_at, s.expires_at, CASE WHEN i = 1 THEN s.created_at END
  FROM sessions AS s, generate_series(1, 2) AS i;

INSERT INTO credit_balances (account_id, credits, version, updated_at)
SELECT u.account_id, 1000000 - 25 * coalesce(w.count, 0), 1 + coalesce(w.count, 0), coalesce(w.at, u.at)
  FROM years.users AS u
  LEFT JOIN (SELECT n, count(*) AS count, max(at) AS at FROM years.workouts GROUP BY n) AS w USING (n);
INSERT INTO ledger_transactions (id, account_id, reason, workout_id, created_at)
SELECT welcome, account_id, 'welcome', NULL::uuid, at FROM years.users
UNION ALL SELECT charge, account_id, 'workout', id, at FROM years.workouts;
INSERT INTO ledger_entries (transaction_id, account_id, amount, balance_after, version, created_at)
SELECT welcome, e.* FROM years.users, LATERAL (VALUES
  (account_id, 1000000, 1000000, 1, at), ('00000000-0000-7000-8000-000000000001'::uuid, -1000000, NULL, NULL, at)) AS e
UNION ALL
SELECT charge, e.* FROM years.workouts, LATERAL (VALUES
  (account_id, -25, (1000000 - 25 * ordinal)::int, (1 + ordinal)::int, at),
  ('00000000-0000-7000-8000-000000000002'::uuid, 25, NULL, NULL, at)) AS e;

INSERT INTO workouts (id, user_id, account_id, idempotency_key, input_hash, performed_at, local_date, time_zone, note,
                      visibility, total_tu, charged, created_at)
SELECT id, user_id, account_id, 'key' || g, sha256(g::text::bytea), date_trunc('second', at), at::date, 'UTC', NULL,
       '{PUBLIC_ANON,PUBLIC_PROFILE}', total, 25, at
  FROM years.workouts JOIN years.kinds USING (k);
INSERT INTO workout_exercises (workout_id, position, user_id, exercise_id, sets)
SELECT w.id, e.p, w.user_id, e.id, '[{"reps": 10, "weight_kg": 60.0}, {"reps": 10, "weight_kg": 60.0}]'
  FROM years.workouts AS w JOIN years.kinds USING (k), unnest(exercise_ids) WITH ORDINALITY AS e (id, p);
INSERT INTO workout_muscles (workout_id, muscle_id, user_id, training_units)
SELECT w.id, m.id, w.user_id, m.units FROM years.workouts AS w JOIN years.kinds AS x USING (k),
       unnest(x.muscle_ids, x.units) AS m (id, units);
INSERT INTO activity_events (id, created_at, account_id, type, v, visibility, data)
SELECT event_id, at, account_id, 'workout_completed', 1, '{PUBLIC_ANON,PUBLIC_PROFILE}',
       jsonb_build_object('workout_id', id)
  FROM years.workouts;

INSERT INTO feed_channels (namespace, channel, last_offset, published_through)
SELECT 'musclemap', kind || ':' || user_id, count(*), count(*)
  FROM years.workouts, unnest('{user,profile}'::text[]) AS kind GROUP BY kind, user_id
UNION ALL SELECT 'musclemap', 'community', workouts, workouts FROM years.span;
INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, body, source)
SELECT 'musclemap', p.* FROM years.workouts AS w JOIN years.kinds AS x USING (k), LATERAL (VALUES
  ('user:' || user_id, ordinal, event_id, at, format(
    '{"id":"%s","v":1,"type":"workout_completed","created_at":"%s","actor":{"id":"%s","name":"User %s"},"data":'
    '{"workout_id":"%s","performed_at":"%s","total_tu":%s,"exercises":%s,"muscles":%s,"note":null}}',
    event_id, years.text(at), user_id, n, id, years.text(at), total, exercises, muscles)::json, NULL::bigint),
  ('profile:' || user_id, ordinal, event_id, at, NULL, ordinal)
) AS p;
INSERT INTO stream_positions (namespace, channel, "offset", event_id, event_at, numbered_at, body)
SELECT 'musclemap', 'community', g, years.id(at, 'community' || g), date_trunc('minute', at), at, format(
    '{"id":"%s","v":2,"type":"workout_completed","created_at":"%s","actor":null,"data":'
    '{"v":2,"focus":{"slug":"chest","name":"Chest"},"exercise_count":1,"total_tu":%s}}',
    years.id(at, 'community' || g), years.text(date_trunc('minute', at)), round(total::numeric, -3))::json
  FROM years.workouts JOIN years.kinds USING (k);

ANALYZE;
SELECT recount_progress(array_agg(id)) FROM years.users;

DROP SCHEMA years CASCADE;
ANALYZE;
