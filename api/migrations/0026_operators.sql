-- What the admin page asks of PostgreSQL. Each function answers nobody whose row has not the role: a token may be older
-- than what was taken back.

CREATE FUNCTION is_operator(p_viewer uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM ask_as(p_viewer);
  RETURN EXISTS (SELECT FROM users WHERE id = p_viewer AND 'admin' = ANY (roles));
END $$;

CREATE FUNCTION ask_as_operator(p_viewer uuid) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF NOT is_operator(p_viewer) THEN
    RAISE EXCEPTION 'this is for operators' USING ERRCODE = 'insufficient_privilege';
  END IF;
END $$;

-- Whose address it is (in lower case).
CREATE FUNCTION person_of(p_viewer uuid, p_email text) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM ask_as_operator(p_viewer);
  RETURN (SELECT id FROM users WHERE lower(email) = p_email);
END $$;

-- Where an event lies, under the id by which somebody reads it: in the community an anonymous one lies under an id of its
-- own, and nothing here leads from there to its owner. `may_read`: whether the rules let p_user read that channel now;
-- null where there is no such user. `published`: the relay has given it to Redis.
CREATE FUNCTION event_places(p_viewer uuid, p_event uuid, p_user uuid) RETURNS TABLE (
  channel text, "offset" bigint, at timestamptz, type text, published boolean, may_read boolean
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off
SET plan_cache_mode TO force_generic_plan AS $$
#variable_conflict use_column
BEGIN
  PERFORM ask_as_operator(p_viewer);
  RETURN QUERY
  WITH told AS MATERIALIZED (
    SELECT f.channel, f."offset", f.event_at AS at, f.body ->> 'type' AS type
      FROM feed_positions AS f
     WHERE f.event_id = p_event AND f.source IS NULL AND f.namespace = 'musclemap'
     LIMIT 2
  ), places AS (
    SELECT * FROM told
    UNION
    SELECT p.channel, p."offset", p.event_at, t.type
      FROM told AS t
      JOIN feed_positions AS p ON p.channel = 'profile:' || substr(t.channel, 6) AND p.event_id = p_event
                              AND p.namespace = 'musclemap' AND starts_with(p.channel, 'profile:')
     WHERE starts_with(t.channel, 'user:')
    UNION
    SELECT s.channel, s."offset", s.event_at, s.body ->> 'type'
      FROM stream_positions AS s
     WHERE s.event_id = p_event AND s.namespace = 'musclemap' AND s.channel = 'community'
  )
  SELECT p.channel, p."offset", p.at, p.type,
         coalesce((SELECT c.published_through >= p."offset" FROM feed_channels AS c
                    WHERE c.namespace = 'musclemap' AND c.channel = p.channel), false),
         (SELECT CASE WHEN p.channel IN ('user:' || u.id, 'profile:' || u.id) THEN true
                      WHEN starts_with(p.channel, 'user:') THEN false
                      WHEN starts_with(p.channel, 'profile:')
                      THEN (SELECT s.feed FROM users AS o
                             CROSS JOIN LATERAL seen(relation(u.id, o.id), o.audience) AS s
                             WHERE o.id = substr(p.channel, 9)::uuid)
                      ELSE true END
            FROM users AS u WHERE u.id = p_user)
    FROM places AS p;
END $$;

-- Whether an event waits for its number, among the oldest p_most; how many wait there, and since when the oldest.
CREATE FUNCTION events_waiting(
  p_viewer uuid, p_event uuid, p_most integer, OUT waits boolean, OUT depth bigint, OUT oldest timestamptz
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM ask_as_operator(p_viewer);
  SELECT coalesce(bool_or(o.event_id = p_event), false), count(*), min(o.event_at) INTO waits, depth, oldest
    FROM (SELECT event_id, event_at FROM outbox ORDER BY id LIMIT p_most) AS o;
END $$;

-- Of each job that ever ran: when it was done last, how that went, and what is wrong with its newest slot.
CREATE FUNCTION jobs_seen(p_viewer uuid) RETURNS TABLE (
  job text, finished timestamptz, took_s double precision, result bigint, newest timestamptz, done boolean,
  failures integer, error text
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
BEGIN
  PERFORM ask_as_operator(p_viewer);
  RETURN QUERY
  WITH RECURSIVE names AS (  -- one look into the index for each
    (SELECT r.job FROM job_runs AS r ORDER BY r.job LIMIT 1)
    UNION ALL
    SELECT (SELECT r.job FROM job_runs AS r WHERE r.job > n.job ORDER BY r.job LIMIT 1) FROM names AS n
     WHERE n.job IS NOT NULL
  )
  SELECT n.job, d.finished, extract(epoch FROM d.took)::float8, d.result, s.slot, s.finished IS NOT NULL, s.failures,
         s.error
    FROM names AS n
   CROSS JOIN LATERAL (SELECT slot, finished, failures, error FROM job_runs AS r
                        WHERE r.job = n.job ORDER BY slot DESC LIMIT 1) AS s
    LEFT JOIN LATERAL (SELECT finished, took, result FROM job_runs AS r
                        WHERE r.job = n.job AND r.finished IS NOT NULL ORDER BY slot DESC LIMIT 1) AS d ON true
   WHERE n.job IS NOT NULL;
END $$;
