-- Other apps of this server: a namespace each, server keys, what they publish. Written by the functions here alone: those
-- that `python -m api.apps` calls leave their row in admin_actions, and the API's role may do nothing beside them.

CREATE TABLE apps (
  namespace    text PRIMARY KEY CHECK (namespace ~ '^[a-z0-9][a-z0-9-]{0,31}$' AND namespace <> 'musclemap'),
  open         boolean NOT NULL DEFAULT false,  -- anybody may join its channels
  users        boolean NOT NULL DEFAULT false,  -- every user of the app may
  presence     boolean NOT NULL DEFAULT false,  -- members hear of each other
  keys         json NOT NULL DEFAULT '[]',      -- of the JWKS of its backend: public members alone
  history      integer NOT NULL DEFAULT 1000 CHECK (history BETWEEN 1 AND 10000),        -- events that it may read again
  history_s    integer CHECK (history_s >= 1),  -- ... and how old they may be; null = as long as streams are kept
  rate         integer NOT NULL DEFAULT 5000 CHECK (rate BETWEEN 1 AND 100000),          -- events a second
  event_bytes  integer NOT NULL DEFAULT 16384 CHECK (event_bytes BETWEEN 2 AND 32768),   -- of `data` of one
  channels     integer NOT NULL DEFAULT 0 CHECK (channels >= 0),                         -- rows of app_channels
  created_at   timestamptz NOT NULL
);

-- The two newest are good: one can replace the other without a pause. The key itself is nowhere.
CREATE TABLE app_keys (
  key_hash    bytea PRIMARY KEY CHECK (length(key_hash) = 32),  -- SHA-256
  namespace   text NOT NULL REFERENCES apps (namespace),
  created_at  timestamptz NOT NULL
);
CREATE INDEX app_keys_namespace ON app_keys (namespace, created_at DESC);

-- A bucket of one second's events, which publishing may leave in debt. Its row puts an app's requests in line.
CREATE TABLE app_rates (
  namespace  text PRIMARY KEY REFERENCES apps (namespace),
  tokens     double precision NOT NULL,
  at         timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE app_channels (
  namespace   text NOT NULL,
  channel     text NOT NULL,
  created_at  timestamptz NOT NULL,
  PRIMARY KEY (namespace, channel)
);

-- By which an event that is sent again is published once.
CREATE TABLE app_event_ids (
  namespace  text NOT NULL,
  id         text NOT NULL CHECK (length(id) BETWEEN 1 AND 64),
  at         timestamptz NOT NULL,
  PRIMARY KEY (namespace, id)
);
CREATE INDEX app_event_ids_at ON app_event_ids (at);

-- What pages of other sites show to a gateway. Each is signed once by a key of its own that nobody keeps.
CREATE TABLE widget_tokens (
  id          uuid PRIMARY KEY,
  origin      text NOT NULL CHECK (length(origin) <= 300),
  key         json NOT NULL,  -- JWK, public
  created_at  timestamptz NOT NULL,
  expires_at  timestamptz NOT NULL
);
CREATE INDEX widget_tokens_expiry ON widget_tokens (expires_at);

-- --- What `python -m api.apps` does. Each begins with p_act, p_now, p_actor: the row that it leaves.

CREATE FUNCTION note_app_act(
  p_act uuid, p_now timestamptz, p_actor text, p_action text, p_arguments json
) RETURNS void LANGUAGE sql SET search_path TO pg_catalog, public, pg_temp AS $$
  INSERT INTO public.admin_actions (id, at, actor, action, account_id, arguments, reason)
  VALUES (p_act, p_now, p_actor, p_action, NULL, p_arguments, NULL)
$$;
REVOKE ALL ON FUNCTION note_app_act(uuid, timestamptz, text, text, json) FROM PUBLIC;

-- Whether it was made: false where there is one of this name, null where there are p_most already.
CREATE FUNCTION create_app(
  p_act uuid, p_now timestamptz, p_actor text, p_namespace text, p_key_hash bytea, p_most integer
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM apps WHERE namespace = p_namespace) THEN
    RETURN false;
  ELSIF (SELECT count(*) FROM apps) >= p_most THEN
    RETURN NULL;
  END IF;
  INSERT INTO apps (namespace, created_at) VALUES (p_namespace, p_now);
  INSERT INTO app_keys (key_hash, namespace, created_at) VALUES (p_key_hash, p_namespace, p_now);
  INSERT INTO app_rates (namespace, tokens, at) SELECT namespace, rate, p_now FROM apps WHERE namespace = p_namespace;
  PERFORM note_app_act(p_act, p_now, p_actor, 'apps create', json_build_object('namespace', p_namespace));
  RETURN true;
END $$;

-- Gives a second key; an older one than the two newest is good no more. False where there is no such app.
CREATE FUNCTION rotate_app_key(
  p_act uuid, p_now timestamptz, p_actor text, p_namespace text, p_key_hash bytea
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM apps WHERE namespace = p_namespace) THEN
    RETURN false;
  END IF;
  INSERT INTO app_keys (key_hash, namespace, created_at) VALUES (p_key_hash, p_namespace, p_now);
  DELETE FROM app_keys WHERE key_hash IN (
    SELECT key_hash FROM app_keys WHERE namespace = p_namespace ORDER BY created_at DESC, key_hash OFFSET 2);
  PERFORM note_app_act(p_act, p_now, p_actor, 'apps rotate', json_build_object('namespace', p_namespace));
  RETURN true;
END $$;

-- Sets what p_changes names, by columns of `apps`; a history_s of 0 is none. False where there is no such app.
CREATE FUNCTION set_app(
  p_act uuid, p_now timestamptz, p_actor text, p_namespace text, p_changes json
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE apps SET
    open = coalesce((p_changes ->> 'open')::boolean, open),
    users = coalesce((p_changes ->> 'users')::boolean, users),
    presence = coalesce((p_changes ->> 'presence')::boolean, presence),
    keys = coalesce(p_changes -> 'keys', keys),
    history = coalesce((p_changes ->> 'history')::integer, history),
    history_s = CASE WHEN (p_changes ->> 'history_s') IS NULL THEN history_s
                     ELSE nullif((p_changes ->> 'history_s')::integer, 0) END,
    rate = coalesce((p_changes ->> 'rate')::integer, rate),
    event_bytes = coalesce((p_changes ->> 'event_bytes')::integer, event_bytes)
  WHERE namespace = p_namespace;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM note_app_act(p_act, p_now, p_actor, 'apps set',
                       json_build_object('namespace', p_namespace, 'changes', p_changes));
  RETURN true;
END $$;

-- Notes a widget token; those that are over go. False where p_most are still good.
CREATE FUNCTION note_widget_token(
  p_act uuid, p_now timestamptz, p_actor text, p_id uuid, p_origin text, p_key json, p_expires timestamptz,
  p_most integer
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  DELETE FROM widget_tokens WHERE expires_at <= p_now;
  IF (SELECT count(*) FROM widget_tokens) >= p_most THEN
    RETURN false;
  END IF;
  INSERT INTO widget_tokens (id, origin, key, created_at, expires_at)
  VALUES (p_id, p_origin, p_key, p_now, p_expires);
  PERFORM note_app_act(p_act, p_now, p_actor, 'apps widget-token', json_build_object('id', p_id, 'origin', p_origin));
  RETURN true;
END $$;

CREATE FUNCTION revoke_widget_token(
  p_act uuid, p_now timestamptz, p_actor text, p_id uuid
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  DELETE FROM widget_tokens WHERE id = p_id;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM note_app_act(p_act, p_now, p_actor, 'apps widget-token revoke', json_build_object('id', p_id));
  RETURN true;
END $$;

-- --- What apps do, over HTTP.

-- The app whose key this is; no row for a wrong key, another app's and a namespace that is none.
CREATE FUNCTION app_of_key(p_namespace text, p_key_hash bytea) RETURNS SETOF apps
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT a.* FROM public.app_keys AS k JOIN public.apps AS a ON a.namespace = k.namespace
   WHERE k.key_hash = p_key_hash AND k.namespace = p_namespace
$$;

-- Puts events out, in their order: `fresh` says of each whether it is new; else it was published before. Nothing is done
-- where the app is over its rate (wait_s) or would have more than p_most channels (crowded: the caller rolls back).
-- Events of one channel that come together are one row of the outbox, of 32 KB or one event; `user` names the channel, so
-- that none overtakes another.
CREATE FUNCTION publish_app_events(
  p_namespace text, p_channels text[], p_ids text[], p_bodies text[], p_now timestamptz, p_most integer,
  OUT fresh boolean[], OUT wait_s double precision, OUT crowded boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_rate integer;
  v_tokens double precision;
  v_new text[];
  v_channels integer;
BEGIN
  SELECT a.rate, least(a.rate, r.tokens + a.rate * greatest(0, extract(epoch FROM clock_timestamp() - r.at)))
    INTO STRICT v_rate, v_tokens
    FROM app_rates AS r JOIN apps AS a USING (namespace) WHERE r.namespace = p_namespace FOR UPDATE OF r;
  IF v_tokens < 1 THEN
    wait_s := (1 - v_tokens) / v_rate;
    RETURN;
  END IF;
  UPDATE app_rates SET tokens = v_tokens - cardinality(p_ids), at = clock_timestamp() WHERE namespace = p_namespace;

  WITH taken AS (
    INSERT INTO app_event_ids (namespace, id, at)
    SELECT DISTINCT p_namespace, g.id, p_now FROM unnest(p_ids) AS g (id) ON CONFLICT DO NOTHING RETURNING id
  ) SELECT coalesce(array_agg(id), '{}') INTO v_new FROM taken;
  SELECT array_agg(g.n = g.first AND g.id = ANY (v_new) ORDER BY g.n) INTO fresh
    FROM (SELECT id, n, min(n) OVER (PARTITION BY id) AS first FROM unnest(p_ids) WITH ORDINALITY AS u (id, n)) AS g;

  WITH made AS (
    INSERT INTO app_channels (namespace, channel, created_at)
    SELECT DISTINCT p_namespace, g.channel, p_now FROM unnest(p_channels, fresh) AS g (channel, fresh) WHERE g.fresh
    ON CONFLICT DO NOTHING RETURNING 1
  ) SELECT count(*) INTO v_channels FROM made;
  IF v_channels > 0 THEN
    UPDATE apps SET channels = channels + v_channels WHERE namespace = p_namespace AND channels + v_channels <= p_most;
    crowded := NOT FOUND;
  END IF;

  INSERT INTO outbox (event_id, event_at, namespace, event)
  SELECT gen_random_uuid(), p_now, p_namespace, json_build_object(
           'app', p_namespace, 'channel', g.channel, 'at', p_now,
           'user', json_build_object('id', 'app:' || p_namespace || ':' || g.channel),
           'ids', json_agg(g.id ORDER BY g.n), 'bodies', json_agg(g.body ORDER BY g.n))
    FROM (
      SELECT u.channel, u.id, u.body, u.n,
             (sum(octet_length(u.body)) OVER (PARTITION BY u.channel ORDER BY u.n) - octet_length(u.body)) / 32768 AS part
        FROM unnest(p_channels, p_ids, p_bodies, fresh) WITH ORDINALITY AS u (channel, id, body, fresh, n)
       WHERE u.fresh
    ) AS g
   GROUP BY g.channel, g.part ORDER BY min(g.n);
END $$;

-- What an app may read again of its channel after p_after: at most p_rows, oldest first, with the epoch, the newest offset
-- and the lowest that may be read; one row without an offset where there is nothing.
CREATE FUNCTION app_history(p_namespace text, p_channel text, p_after bigint, p_rows integer)
RETURNS TABLE (epoch text, head bigint, lowest bigint, "offset" bigint, body json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_app apps%ROWTYPE;
  v_head bigint := 0;
  v_lowest bigint := 1;
BEGIN
  SELECT * INTO STRICT v_app FROM apps WHERE namespace = p_namespace;
  SELECT c.last_offset, greatest(c.dropped_through + 1, c.last_offset - v_app.history + 1) INTO v_head, v_lowest
    FROM feed_channels AS c WHERE c.namespace = p_namespace AND c.channel = p_channel;
  IF v_app.history_s IS NOT NULL AND v_head IS NOT NULL THEN
    SELECT coalesce(min(s."offset"), v_head + 1) INTO v_lowest FROM stream_positions AS s
     WHERE s.namespace = p_namespace AND s.channel = p_channel AND s."offset" >= v_lowest AND s."offset" <= v_head
       AND s.event_at > clock_timestamp() - make_interval(secs => v_app.history_s);
  END IF;
  v_head := coalesce(v_head, 0);
  v_lowest := coalesce(v_lowest, 1);
  RETURN QUERY
  SELECT i.epoch, v_head, v_lowest, s."offset", s.body
    FROM installation AS i LEFT JOIN stream_positions AS s
      ON s.namespace = p_namespace AND s.channel = p_channel
     AND s."offset" > greatest(p_after, v_lowest - 1)
     AND s."offset" <= least(greatest(p_after, v_lowest - 1) + p_rows, v_head)
   ORDER BY s."offset";
END $$;

-- Drops at most p_batch of the oldest positions of the community that lie in no month and are p_days old; where there is
-- none, the oldest month that was numbered p_days ago, whole, but not where the newest p_keep of the community are in it.
-- Returns their number, null where there was nothing. As it was (0010), but that what an app published long ago keeps no
-- month.
CREATE OR REPLACE FUNCTION drop_streams(p_days integer, p_keep bigint, p_batch integer) RETURNS bigint
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
       SELECT t.namespace, t.channel, t.top, t.rows, t.namespace = ''musclemap'' AND t.top > c.last_offset - $1 AS short
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
