-- What happens by itself: the run log of the jobs, leaderboards, rivals.

-- A job's slot is the time at which it is to run. The effect of a batch, and how far the slot has come, are one
-- transaction; `finished` is set by the last one. A newer slot that is finished takes the place of all before it.
CREATE TABLE job_runs (
  job       text NOT NULL,
  slot      timestamptz NOT NULL,
  worker    text NOT NULL,                         -- that did the newest batch
  started   timestamptz NOT NULL,
  finished  timestamptz,                           -- null = a part of it is done, or none
  took      interval NOT NULL DEFAULT '0',         -- of its batches together
  result    bigint NOT NULL DEFAULT 0 CHECK (result >= 0),  -- rows that it changed
  place     text,                                  -- where the next batch begins
  failures  integer NOT NULL DEFAULT 0,            -- since the last batch that went well
  error     text,                                  -- of the newest failure: a SQLSTATE or the class of an error
  again     timestamptz,                           -- not before, after a failure
  PRIMARY KEY (job, slot)
);

-- --- Streaks. `progress` keeps the newest run of dates, and what was a streak must not look like one when its owner's
-- midnight has passed. The job says of which last date it knows that; a workout that moves the date is a streak again by
-- itself.
ALTER TABLE progress ADD COLUMN streak_over date;

-- Today's date in a zone; in UTC where PostgreSQL does not know the zone.
CREATE FUNCTION today_in(p_zone text) RETURNS date LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (now() AT TIME ZONE p_zone)::date;
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN (now() AT TIME ZONE 'UTC')::date;
END $$;

-- --- Leaderboards: nine lists. 1-3 XP, 4-6 volume, 7-9 streak, each by week, month and all time.

CREATE FUNCTION leaderboard_list(p_board text, p_period text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT 3 * array_position('{XP,VOLUME,STREAK}', p_board) + array_position('{WEEK,MONTH,ALL_TIME}', p_period) - 3
$$;

-- Of each user who has a score in one of the lists: the scores, and the ranks, of which equal scores have the same one;
-- null = not in that list. A week is ISO's, a month the calendar's, both by the date in UTC; a training day belongs to
-- them by its own date. A streak counts with its days in the period, and only while it lasts.
CREATE MATERIALIZED VIEW standings AS
WITH period AS MATERIALIZED (
  SELECT date_trunc('week', t)::date AS week, date_trunc('month', t)::date AS month,
         (date_trunc('week', t) + interval '1 week')::date AS week_end,
         (date_trunc('month', t) + interval '1 month')::date AS month_end
    FROM (SELECT now() AT TIME ZONE 'UTC' AS t) AS utc
), recent AS (
  SELECT d.user_id,
         sum(d.xp) FILTER (WHERE d.local_date >= p.week AND d.local_date < p.week_end) AS xp_week,
         sum(d.xp) FILTER (WHERE d.local_date >= p.month AND d.local_date < p.month_end) AS xp_month,
         sum(d.volume) FILTER (WHERE d.local_date >= p.week AND d.local_date < p.week_end) AS volume_week,
         sum(d.volume) FILTER (WHERE d.local_date >= p.month AND d.local_date < p.month_end) AS volume_month
    FROM training_days AS d CROSS JOIN period AS p
   WHERE d.local_date >= (SELECT least(week, month) FROM period)
     AND d.local_date < (SELECT greatest(week_end, month_end) FROM period)
   GROUP BY d.user_id
), reached AS (
  SELECT g.user_id, r.xp_week, r.xp_month, g.xp, r.volume_week, r.volume_month, g.volume, s.days,
         least(s.days, g.streak_last - p.week + 1) AS days_week, least(s.days, g.streak_last - p.month + 1) AS days_month
    FROM progress AS g
    JOIN users AS u ON u.id = g.user_id
    CROSS JOIN period AS p
    LEFT JOIN recent AS r ON r.user_id = g.user_id
    CROSS JOIN LATERAL (
      SELECT CASE WHEN g.streak_over IS DISTINCT FROM g.streak_last THEN g.streak_days ELSE 0 END AS days) AS s
)
SELECT user_id,
       ARRAY[xp_week, xp_month, xp, volume_week, volume_month, volume, days_week, days_month, days]::double precision[]
         AS scores,
       ARRAY[CASE WHEN xp_week > 0 THEN rank() OVER (ORDER BY xp_week DESC NULLS LAST) END,
             CASE WHEN xp_month > 0 THEN rank() OVER (ORDER BY xp_month DESC NULLS LAST) END,
             CASE WHEN xp > 0 THEN rank() OVER (ORDER BY xp DESC) END,
             CASE WHEN volume_week > 0 THEN rank() OVER (ORDER BY volume_week DESC NULLS LAST) END,
             CASE WHEN volume_month > 0 THEN rank() OVER (ORDER BY volume_month DESC NULLS LAST) END,
             CASE WHEN volume > 0 THEN rank() OVER (ORDER BY volume DESC) END,
             CASE WHEN days_week > 0 THEN rank() OVER (ORDER BY days_week DESC) END,
             CASE WHEN days_month > 0 THEN rank() OVER (ORDER BY days_month DESC) END,
             CASE WHEN days > 0 THEN rank() OVER (ORDER BY days DESC) END]::integer[] AS ranks
  FROM reached
 WHERE xp > 0 OR xp_month > 0 OR xp_week > 0 OR volume > 0 OR days > 0;
CREATE UNIQUE INDEX standings_user ON standings (user_id);

-- The first hundred of each list; of equal scores whoever is longer with us stands first.
CREATE MATERIALIZED VIEW leaderboard_top AS
SELECT l.list, t.place, t.user_id, t.rank, t.score
  FROM generate_series(1, 9) AS l (list)
 CROSS JOIN LATERAL (
    SELECT row_number() OVER (ORDER BY s.ranks[l.list], s.user_id)::integer AS place, s.user_id,
           s.ranks[l.list] AS rank, s.scores[l.list] AS score
      FROM standings AS s WHERE s.ranks[l.list] <= 100 ORDER BY s.ranks[l.list], s.user_id LIMIT 100) AS t;
CREATE UNIQUE INDEX leaderboard_top_place ON leaderboard_top (list, place);

-- Both anew, in the transaction of the job, while everybody reads what was there.
CREATE FUNCTION refresh_leaderboards() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET work_mem TO '32MB' SET jit TO off
AS $$
BEGIN
  REFRESH MATERIALIZED VIEW CONCURRENTLY public.standings;
  REFRESH MATERIALIZED VIEW CONCURRENTLY public.leaderboard_top;
END $$;
REVOKE ALL ON FUNCTION refresh_leaderboards() FROM PUBLIC;

-- Whether p_viewer may be told of p_other at all: neither has blocked the other.
CREATE FUNCTION not_blocked(p_viewer uuid, p_other uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT NOT EXISTS (SELECT FROM public.blocks WHERE blocker_id = p_viewer AND blocked_id = p_other)
     AND NOT EXISTS (SELECT FROM public.blocks WHERE blocker_id = p_other AND blocked_id = p_viewer)
$$;

-- At most p_limit rows of a list behind the place p_after, and one of p_viewer's own rank, whose place is null; its rank
-- is null where there is none. user_id is null where p_viewer (null = nobody) may not know who it is: what decides is
-- the audience of now, not that of the refresh.
CREATE FUNCTION leaderboard_page(p_viewer uuid, p_board text, p_period text, p_after integer, p_limit integer)
RETURNS TABLE (place integer, rank integer, score double precision, user_id uuid, refreshed_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT t.place, t.rank, t.score,
         CASE WHEN t.user_id = p_viewer OR (u.audience = 'everyone' AND not_blocked(p_viewer, t.user_id)) THEN u.id END,
         NULL::timestamptz
    FROM leaderboard_top AS t LEFT JOIN users AS u ON u.id = t.user_id
   WHERE t.list = leaderboard_list(p_board, p_period) AND t.place > p_after AND t.place <= p_after + least(p_limit, 101)
   UNION ALL
  SELECT NULL, s.ranks[leaderboard_list(p_board, p_period)], s.scores[leaderboard_list(p_board, p_period)], p_viewer,
         (SELECT finished FROM job_runs WHERE job = 'leaderboards' AND finished IS NOT NULL ORDER BY slot DESC LIMIT 1)
    FROM (SELECT) AS one LEFT JOIN standings AS s ON s.user_id = p_viewer
   ORDER BY place NULLS FIRST
$$;
REVOKE ALL ON FUNCTION leaderboard_page(uuid, text, text, integer, integer) FROM PUBLIC;

-- The first hundred of a week, as they stood when they were kept last. Names are not kept.
CREATE TABLE leaderboard_snapshots (
  week     date NOT NULL,     -- its Monday
  board    text NOT NULL CHECK (board IN ('XP', 'VOLUME', 'STREAK')),
  place    integer NOT NULL CHECK (place BETWEEN 1 AND 100),
  rank     integer NOT NULL CHECK (rank BETWEEN 1 AND 100),
  user_id  uuid NOT NULL,
  score    double precision NOT NULL CHECK (score > 0),
  kept_at  timestamptz NOT NULL,
  PRIMARY KEY (week, board, place)
);
CREATE INDEX leaderboard_snapshots_user ON leaderboard_snapshots (user_id);

-- --- Rivals: whom one compares oneself with. A score is the XP gained since then; XP never falls.

CREATE TABLE rivals (
  user_id      uuid NOT NULL,
  rival_id     uuid NOT NULL,
  since        timestamptz NOT NULL,
  my_start     bigint NOT NULL CHECK (my_start >= 0),      -- XP then
  their_start  bigint NOT NULL CHECK (their_start >= 0),
  my_score     bigint NOT NULL DEFAULT 0 CHECK (my_score >= 0),
  their_score  bigint NOT NULL DEFAULT 0 CHECK (their_score >= 0),
  PRIMARY KEY (user_id, rival_id),
  CHECK (user_id <> rival_id)
) WITH (fillfactor = 80);
CREATE INDEX rivals_rival ON rivals (rival_id, user_id);

-- Whether p_user may have p_rival as a rival: somebody else who is there, whose audience is not NOBODY, and neither has
-- blocked the other.
CREATE FUNCTION may_be_rival(p_user uuid, p_rival uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM public.users WHERE id = p_rival AND audience <> 'nobody')
     AND public.not_blocked(p_user, p_rival)
$$;

-- `added`, `there` already, `unknown` (may_be_rival says no), `full` (p_most are there). Under SERIALIZABLE, so that two
-- at once are not one too many.
CREATE FUNCTION add_rival(p_user uuid, p_rival uuid, p_now timestamptz, p_most integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT (may_be_rival(p_user, p_rival) AND EXISTS (SELECT FROM users WHERE id = p_user)) THEN
    RETURN 'unknown';
  END IF;
  IF EXISTS (SELECT FROM rivals WHERE user_id = p_user AND rival_id = p_rival) THEN
    RETURN 'there';
  END IF;
  IF (SELECT count(*) FROM rivals WHERE user_id = p_user) >= p_most THEN
    RETURN 'full';
  END IF;
  INSERT INTO rivals (user_id, rival_id, since, my_start, their_start)
  VALUES (p_user, p_rival, p_now, coalesce((SELECT xp FROM progress WHERE user_id = p_user), 0),
          coalesce((SELECT xp FROM progress WHERE user_id = p_rival), 0));
  RETURN 'added';
END $$;
REVOKE ALL ON FUNCTION add_rival(uuid, uuid, timestamptz, integer) FROM PUBLIC;

-- Whether there was one.
CREATE FUNCTION remove_rival(p_user uuid, p_rival uuid) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
  WITH gone AS (DELETE FROM rivals WHERE user_id = p_user AND rival_id = p_rival RETURNING rival_id)
  SELECT EXISTS (SELECT FROM gone)
$$;
REVOKE ALL ON FUNCTION remove_rival(uuid, uuid) FROM PUBLIC;

-- Those of p_user whom p_user may still be told of, the newest first.
CREATE FUNCTION rivals_of(p_user uuid)
RETURNS TABLE (rival_id uuid, since timestamptz, my_score bigint, their_score bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT r.rival_id, r.since, r.my_score, r.their_score FROM rivals AS r
   WHERE r.user_id = p_user AND may_be_rival(p_user, r.rival_id)
   ORDER BY r.since DESC, r.rival_id
$$;
REVOKE ALL ON FUNCTION rivals_of(uuid) FROM PUBLIC;

-- Two people are rivals no longer, either way: part of a block.
CREATE FUNCTION part_rivals(p_one uuid, p_other uuid) RETURNS void LANGUAGE sql AS $$
  DELETE FROM public.rivals
   WHERE (user_id = p_one AND rival_id = p_other) OR (user_id = p_other AND rival_id = p_one)
$$;
REVOKE ALL ON FUNCTION part_rivals(uuid, uuid) FROM PUBLIC;

-- What leaderboards and rivals keep of a person: part of a deletion. The next refresh takes the rest, which nobody is
-- shown any more.
CREATE FUNCTION forget_standing(p_user uuid) RETURNS void LANGUAGE sql AS $$
  DELETE FROM public.rivals WHERE user_id = p_user OR rival_id = p_user;
  DELETE FROM public.leaderboard_snapshots WHERE user_id = p_user;
$$;
REVOKE ALL ON FUNCTION forget_standing(uuid) FROM PUBLIC;
