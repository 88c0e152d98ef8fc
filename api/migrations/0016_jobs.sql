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

-- The scores of each user in the nine lists; null or 0 = not in it. A week is ISO's, a month the calendar's, both by the
-- date in UTC; a training day belongs to them by its own date. A streak counts with its days in the period, and only
-- while it lasts.
CREATE VIEW reached AS
WITH period AS MATERIALIZED (
  SELECT date_trunc('week', t)::date AS week, date_trunc('month', t)::date AS month,
         (date_trunc('week', t) + interval '1 week')::date AS week_end,
         (date_trunc('month', t) + interval '1 month')::date AS month_end
    FROM (SELECT now() AT TIME ZONE 'UTC' AS t) AS utc
)
SELECT g.user_id,
       ARRAY[r.xp_week, r.xp_month, g.xp, r.volume_week, r.volume_month, g.volume,
             least(s.days, g.streak_last - p.week + 1), least(s.days, g.streak_last - p.month + 1), s.days
            ]::double precision[] AS scores
  FROM progress AS g
  JOIN users AS u ON u.id = g.user_id
  CROSS JOIN period AS p
  CROSS JOIN LATERAL (
    SELECT CASE WHEN g.streak_over IS DISTINCT FROM g.streak_last THEN g.streak_days ELSE 0 END AS days) AS s
  LEFT JOIN (
    SELECT d.user_id,
           sum(d.xp) FILTER (WHERE d.local_date >= p.week AND d.local_date < p.week_end) AS xp_week,
           sum(d.xp) FILTER (WHERE d.local_date >= p.month AND d.local_date < p.month_end) AS xp_month,
           sum(d.volume) FILTER (WHERE d.local_date >= p.week AND d.local_date < p.week_end) AS volume_week,
           sum(d.volume) FILTER (WHERE d.local_date >= p.month AND d.local_date < p.month_end) AS volume_month
      FROM training_days AS d CROSS JOIN period AS p
     WHERE d.local_date >= (SELECT least(week, month) FROM period)
       AND d.local_date < (SELECT greatest(week_end, month_end) FROM period)
     GROUP BY d.user_id
  ) AS r ON r.user_id = g.user_id;

-- Each list cut into parts, the best first: part 0 is the first hundred, with who they are (of equal scores whoever is
-- longer with us stands first), each other one 200 scores without anybody's id. `above`: how many stand before the part.
-- So the rank of any score is one look into one part, and what moves rewrites parts and no row of a user.
CREATE MATERIALIZED VIEW leaderboard AS
WITH everybody AS MATERIALIZED (
  SELECT user_id, scores FROM reached
), sorted AS (
  SELECT array_agg(scores[1] ORDER BY scores[1] DESC) FILTER (WHERE scores[1] > 0) AS s1,
         array_agg(scores[2] ORDER BY scores[2] DESC) FILTER (WHERE scores[2] > 0) AS s2,
         array_agg(scores[3] ORDER BY scores[3] DESC) FILTER (WHERE scores[3] > 0) AS s3,
         array_agg(scores[4] ORDER BY scores[4] DESC) FILTER (WHERE scores[4] > 0) AS s4,
         array_agg(scores[5] ORDER BY scores[5] DESC) FILTER (WHERE scores[5] > 0) AS s5,
         array_agg(scores[6] ORDER BY scores[6] DESC) FILTER (WHERE scores[6] > 0) AS s6,
         array_agg(scores[7] ORDER BY scores[7] DESC) FILTER (WHERE scores[7] > 0) AS s7,
         array_agg(scores[8] ORDER BY scores[8] DESC) FILTER (WHERE scores[8] > 0) AS s8,
         array_agg(scores[9] ORDER BY scores[9] DESC) FILTER (WHERE scores[9] > 0) AS s9
    FROM everybody
)
SELECT l.list, p.part, a.above, l.scores[a.above + 1] AS top,
       l.scores[a.above + 1 : CASE p.part WHEN 0 THEN 100 ELSE a.above + 200 END] AS scores,
       CASE p.part WHEN 0 THEN ARRAY(
         SELECT user_id FROM everybody WHERE everybody.scores[l.list] > 0
          ORDER BY everybody.scores[l.list] DESC, user_id LIMIT 100) END AS users
  FROM sorted
 CROSS JOIN LATERAL (VALUES (1, s1), (2, s2), (3, s3), (4, s4), (5, s5), (6, s6), (7, s7), (8, s8), (9, s9))
    AS l (list, scores)
 CROSS JOIN LATERAL generate_series(0, (cardinality(l.scores) + 99) / 200) AS p (part)
 CROSS JOIN LATERAL (SELECT CASE p.part WHEN 0 THEN 0 ELSE 200 * p.part - 100 END AS above) AS a
 WHERE cardinality(l.scores) > a.above;
CREATE UNIQUE INDEX leaderboard_part ON leaderboard (list, part);
CREATE INDEX leaderboard_top ON leaderboard (list, top, part DESC);

-- The first hundred of a list; equal scores share a rank.
CREATE FUNCTION leaderboard_top(p_list integer)
RETURNS TABLE (place integer, rank integer, score double precision, user_id uuid)
LANGUAGE sql STABLE SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT t.place::integer, rank() OVER (ORDER BY t.score DESC)::integer, t.score, t.user_id
    FROM leaderboard AS l CROSS JOIN LATERAL unnest(l.scores, l.users) WITH ORDINALITY AS t (score, user_id, place)
   WHERE l.list = p_list AND l.part = 0
$$;

-- The rank of a score in a list, as it was refreshed last.
CREATE FUNCTION leaderboard_rank(p_list integer, p_score double precision) RETURNS integer
LANGUAGE sql STABLE SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT 1 + coalesce((
    SELECT l.above + (SELECT count(*)::integer FROM unnest(l.scores) AS s (score) WHERE s.score > p_score)
      FROM leaderboard AS l WHERE l.list = p_list AND l.top > p_score ORDER BY l.top, l.part DESC LIMIT 1), 0)
$$;

-- In the transaction of the job, while everybody reads what was there.
CREATE FUNCTION refresh_leaderboards() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET work_mem TO '64MB' SET jit TO off
AS $$
BEGIN
  REFRESH MATERIALIZED VIEW CONCURRENTLY public.leaderboard;
END $$;
REVOKE ALL ON FUNCTION refresh_leaderboards() FROM PUBLIC;

-- Whether p_viewer may be told of p_other at all: neither has blocked the other.
CREATE FUNCTION not_blocked(p_viewer uuid, p_other uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT NOT EXISTS (SELECT FROM public.blocks WHERE blocker_id = p_viewer AND blocked_id = p_other)
     AND NOT EXISTS (SELECT FROM public.blocks WHERE blocker_id = p_other AND blocked_id = p_viewer)
$$;

-- At most p_limit rows of a list behind the place p_after, and one of p_viewer's own rank, whose place is null; its rank
-- is null where there is none. user_id is null where p_viewer (null = nobody) may not know who it is: what decides is
-- the audience of now, not that of the refresh. Whoever is not among the first hundred hears the rank of the score that
-- they have now.
CREATE FUNCTION leaderboard_page(p_viewer uuid, p_board text, p_period text, p_after integer, p_limit integer)
RETURNS TABLE (place integer, rank integer, score double precision, user_id uuid, refreshed_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT ask_as(p_viewer);
  WITH named AS (
    SELECT leaderboard_list(p_board, p_period) AS list
  ), top AS MATERIALIZED (
    SELECT t.* FROM named AS n CROSS JOIN LATERAL leaderboard_top(n.list) AS t
  ), refreshed AS (
    SELECT finished FROM job_runs WHERE job = 'leaderboards' AND finished IS NOT NULL ORDER BY slot DESC LIMIT 1
  ), own AS (
    SELECT n.list, coalesce((SELECT t.score FROM top AS t WHERE t.user_id = p_viewer),
                            (SELECT r.scores[n.list] FROM reached AS r WHERE r.user_id = p_viewer)) AS score
      FROM named AS n WHERE EXISTS (SELECT FROM refreshed)
  )
  SELECT t.place, t.rank, t.score,
         CASE WHEN t.user_id = p_viewer OR (u.audience = 'everyone' AND not_blocked(p_viewer, t.user_id)) THEN u.id END,
         NULL::timestamptz
    FROM top AS t LEFT JOIN users AS u ON u.id = t.user_id
   WHERE t.place > p_after AND t.place <= p_after + least(p_limit, 101)
   UNION ALL
  SELECT NULL, CASE WHEN o.score > 0 THEN leaderboard_rank(o.list, o.score) END, o.score, p_viewer,
         (SELECT finished FROM refreshed)
    FROM (SELECT) AS one LEFT JOIN own AS o ON true
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
  PERFORM become(p_user);
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
  SELECT become(p_user);
  WITH gone AS (DELETE FROM rivals WHERE user_id = p_user AND rival_id = p_rival RETURNING rival_id)
  SELECT EXISTS (SELECT FROM gone)
$$;
REVOKE ALL ON FUNCTION remove_rival(uuid, uuid) FROM PUBLIC;

-- Those of p_user whom p_user may still be told of, the newest first.
CREATE FUNCTION rivals_of(p_user uuid)
RETURNS TABLE (rival_id uuid, since timestamptz, my_score bigint, their_score bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT ask_as(p_user);
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
