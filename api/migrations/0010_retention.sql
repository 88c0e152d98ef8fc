-- What is kept, and how long: a body is stored once, and what is dropped by time lies in months.

-- Of each channel: what is no longer kept. Offsets go on; what is kept is dense above it.
ALTER TABLE feed_channels
  ADD COLUMN dropped_through bigint NOT NULL DEFAULT 0,
  ADD CONSTRAINT feed_channels_dropped CHECK (dropped_through BETWEEN 0 AND last_offset) NOT VALID;

-- A follower's position says where the owner's stands, whose body has all that followers hear, and more. Rows of the
-- release before have bodies of their own, and keep them.
ALTER TABLE feed_positions
  ALTER COLUMN body DROP NOT NULL,
  ADD COLUMN source bigint,  -- offset of the same event in `user:` of the same person; body is null then
  ADD CONSTRAINT feed_positions_body CHECK ((body IS NULL) = (source IS NOT NULL)) NOT VALID;

-- An event's text is stored once: it waits in the outbox, then lies in its owner's feed. What is recorded beside it, for
-- the auditor, says who, what, when, for whom, and of which workout.
CREATE OR REPLACE FUNCTION append_event(
  p_id uuid, p_at timestamptz, p_namespace text, p_type text, p_v integer, p_account uuid, p_user uuid, p_name text,
  p_visibility text[], p_data json
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO activity_events (id, created_at, namespace, account_id, type, v, visibility, data)
  VALUES (p_id, p_at, p_namespace, p_account, p_type, p_v, p_visibility,
          jsonb_strip_nulls(jsonb_build_object('workout_id', p_data -> 'workout_id')));
  INSERT INTO outbox (event_id, event_at, namespace, event)
  VALUES (p_id, p_at, p_namespace, json_build_object(
    'id', p_id, 'v', p_v, 'type', p_type,
    'created_at', to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'user', json_build_object('id', p_user, 'name', p_name),
    'visibility', p_visibility, 'data', p_data));
END $$;

-- Positions of what is kept for a time and not for a person: the community's feed, and other apps'. Those of the release
-- before lie in feed_positions until their term.
CREATE TABLE stream_positions (
  namespace    text NOT NULL,
  channel      text NOT NULL,
  "offset"     bigint NOT NULL CHECK ("offset" >= 1),
  event_id     uuid NOT NULL,
  event_at     timestamptz NOT NULL,
  numbered_at  timestamptz NOT NULL,
  body         json NOT NULL,  -- what clients of this channel hear, byte for byte
  PRIMARY KEY (namespace, channel, "offset", numbered_at)
) PARTITION BY RANGE (numbered_at);
CREATE TABLE stream_positions_other PARTITION OF stream_positions DEFAULT;
SELECT make_month('stream_positions', (current_date + make_interval(months => n))::date) FROM generate_series(0, 5) AS n;

-- Up to when rows were dropped, how many and when: what the auditor does not miss, and looks at.
CREATE TABLE retention (
  what     text PRIMARY KEY,
  through  timestamptz NOT NULL,  -- rows that are older may be gone; none that is newer
  days     integer NOT NULL,      -- the term then
  rows     bigint NOT NULL,       -- dropped in all
  at       timestamptz NOT NULL   -- when something was dropped last
);
INSERT INTO retention (what, through, days, rows, at)
VALUES ('activity_events', '-infinity', 0, 0, now()), ('stream_positions', '-infinity', 0, 0, now());

-- The oldest month of p_table that ended p_days ago: its partition and its end; null where there is none.
CREATE FUNCTION oldest_month(p_table text, p_days integer, OUT name text, OUT ended timestamptz)
LANGUAGE sql STABLE SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT m.name, m.ended
    FROM (
      SELECT c.relname AS name,
             (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month')::timestamp AT TIME ZONE 'UTC' AS ended
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
       WHERE i.inhparent = ('public.' || quote_ident(p_table))::regclass AND c.relname ~ '_\d{4}_\d{2}$'
    ) AS m
   WHERE m.ended <= now() - make_interval(days => p_days)
   ORDER BY m.ended LIMIT 1
$$;
REVOKE ALL ON FUNCTION oldest_month(text, integer) FROM PUBLIC;

CREATE FUNCTION note_dropped(p_what text, p_through timestamptz, p_days integer, p_rows bigint) RETURNS void
LANGUAGE sql SET search_path TO pg_catalog, public, pg_temp AS $$
  UPDATE public.retention SET through = greatest(through, p_through), days = p_days, rows = rows + p_rows, at = now()
   WHERE what = p_what
$$;
REVOKE ALL ON FUNCTION note_dropped(text, timestamptz, integer, bigint) FROM PUBLIC;

-- Drops one month of events that ended p_days ago; where there is none, at most p_batch older ones of months that had no
-- partition. Returns their number, null where there was nothing. What the auditor has counted of them is taken from its
-- windows: p_through their names, p_lows and p_highs the ids between which each counts. Nothing goes that still waits in
-- the outbox. Locks as make_month does; what may take long is done before.
CREATE FUNCTION drop_events(
  p_days integer, p_batch integer, p_through timestamptz[], p_lows uuid[], p_highs uuid[]
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET lock_timeout TO '200ms'
SET enable_seqscan TO off AS $$
DECLARE
  v_month record;
  v_floor timestamptz := date_trunc('month', (now() - make_interval(days => p_days)) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
  v_rows bigint;
  v_counts bigint[];
  v_gone uuid[];
BEGIN
  IF p_days < 8 THEN
    RAISE EXCEPTION 'events are kept for 8 days at least' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT * INTO v_month FROM oldest_month('activity_events', p_days);
  IF EXISTS (SELECT FROM outbox WHERE event_at < coalesce(v_month.ended, v_floor)) THEN
    RETURN NULL;
  END IF;
  IF v_month.name IS NOT NULL THEN
    EXECUTE format('SELECT count(*) FROM public.%I', v_month.name) INTO v_rows;
    EXECUTE format(
      'SELECT array_agg((SELECT count(*) FROM public.%I WHERE id >= w.low AND id < w.high) ORDER BY n)
         FROM unnest($1, $2) WITH ORDINALITY AS w (low, high, n)', v_month.name)
      INTO v_counts USING p_lows, p_highs;
    EXECUTE format('DROP TABLE public.%I', v_month.name);
  ELSE
    WITH gone AS (
      DELETE FROM activity_events_other WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM activity_events_other WHERE created_at < v_floor LIMIT p_batch))
      RETURNING id
    )
    SELECT count(*), coalesce(array_agg(id), '{}') INTO v_rows, v_gone FROM gone;
    IF v_rows = 0 THEN
      RETURN NULL;
    END IF;
    SELECT array_agg((SELECT count(*) FROM unnest(v_gone) AS g (id) WHERE g.id >= w.low AND g.id < w.high) ORDER BY n)
      INTO v_counts FROM unnest(p_lows, p_highs) WITH ORDINALITY AS w (low, high, n);
  END IF;
  UPDATE audit_windows AS w SET events = w.events - d.count
    FROM unnest(p_through, v_counts) AS d (through, count) WHERE w.through = d.through AND d.count > 0;
  PERFORM note_dropped('activity_events', coalesce(v_month.ended, v_floor), p_days, v_rows);
  RETURN v_rows;
END $$;
REVOKE ALL ON FUNCTION drop_events(integer, integer, timestamptz[], uuid[], uuid[]) FROM PUBLIC;

-- Drops at most p_batch of the oldest positions of the community that lie in no month and are p_days old; where there is
-- none, the oldest month that was numbered p_days ago, whole, but not where the newest p_keep of a channel are in it.
-- Returns their number, null where there was nothing.
CREATE FUNCTION drop_streams(p_days integer, p_keep bigint, p_batch integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET lock_timeout TO '200ms' AS $$
DECLARE
  v_month record;
  v_before timestamptz := now() - make_interval(days => p_days);
  v_rows bigint;
  v_more bigint;
  v_short boolean;
  v_dropped bigint;
  v_top bigint;
BEGIN
  IF p_days < 1 OR p_keep < 1000 THEN
    RAISE EXCEPTION 'a stream is kept for a day and 1,000 events at least' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT c.dropped_through, max(o."offset") FILTER (WHERE o.old) INTO v_dropped, v_top
    FROM feed_channels AS c CROSS JOIN LATERAL (
      SELECT p."offset", bool_and(p.at < v_before) OVER (ORDER BY p."offset") AS old
        FROM (
          SELECT "offset", event_at AS at FROM feed_positions
           WHERE namespace = c.namespace AND channel = c.channel
             AND "offset" > c.dropped_through AND "offset" <= least(c.dropped_through + p_batch, c.last_offset - p_keep)
          UNION ALL
          SELECT "offset", numbered_at FROM stream_positions_other
           WHERE namespace = c.namespace AND channel = c.channel
             AND "offset" > c.dropped_through AND "offset" <= least(c.dropped_through + p_batch, c.last_offset - p_keep)
        ) AS p
    ) AS o
   WHERE c.namespace = 'musclemap' AND c.channel = 'community'
   GROUP BY c.dropped_through;
  IF v_top IS NOT NULL THEN
    UPDATE feed_channels SET dropped_through = v_top
     WHERE namespace = 'musclemap' AND channel = 'community' AND dropped_through = v_dropped;
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
    DELETE FROM feed_positions WHERE namespace = 'musclemap' AND channel = 'community'
       AND "offset" > v_dropped AND "offset" <= v_top;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    DELETE FROM stream_positions_other WHERE namespace = 'musclemap' AND channel = 'community'
       AND "offset" > v_dropped AND "offset" <= v_top;
    GET DIAGNOSTICS v_more = ROW_COUNT;
    PERFORM note_dropped('stream_positions', '-infinity', p_days, v_rows + v_more);
    RETURN v_rows + v_more;
  END IF;

  SELECT * INTO v_month FROM oldest_month('stream_positions', p_days);
  IF v_month.name IS NULL THEN
    RETURN NULL;
  END IF;
  -- The relay locks the channel first and writes its positions then: so it is done here.
  EXECUTE format(
    'WITH tops AS MATERIALIZED (
       SELECT t.namespace, t.channel, t.top, t.rows, t.top > c.last_offset - $1 AS short
         FROM (SELECT namespace, channel, max("offset") AS top, count(*) AS rows FROM public.%I GROUP BY 1, 2) AS t
         JOIN public.feed_channels AS c USING (namespace, channel)
     ), dropped AS (
       UPDATE public.feed_channels AS c SET dropped_through = greatest(c.dropped_through, t.top) FROM tops AS t
        WHERE c.namespace = t.namespace AND c.channel = t.channel AND NOT EXISTS (SELECT FROM tops WHERE short)
     )
     SELECT coalesce(sum(rows), 0), coalesce(bool_or(short), false) FROM tops', v_month.name)
    INTO v_rows, v_short USING p_keep;
  IF v_short THEN
    RETURN NULL;
  END IF;
  EXECUTE format('DROP TABLE public.%I', v_month.name);
  PERFORM note_dropped('stream_positions', v_month.ended, p_days, v_rows);
  RETURN v_rows;
END $$;
REVOKE ALL ON FUNCTION drop_streams(integer, bigint, integer) FROM PUBLIC;
