-- What row level security needs beside the rules of policies.sql: how a transaction gets its user, and the few looks at
-- other people's rows before there is one.

-- From here to the end of the transaction it is p_user who asks: for functions that are a whole transaction, and know
-- their user by an argument. A transaction is one user's: it cannot become another's.
CREATE FUNCTION become(p_user uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF public.viewer() <> p_user THEN
    RAISE EXCEPTION 'this transaction is another user''s' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM set_config('musclemap.user_id', p_user::text, true);
END $$;

-- Sign-in: whoever types an address is nobody yet. The one row, by its index.
CREATE FUNCTION user_of_email(p_email text) RETURNS SETOF users
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT * FROM users WHERE lower(email) = p_email
$$;
REVOKE ALL ON FUNCTION user_of_email(text) FROM PUBLIC;

-- Who has a refresh token is its user, from here to the end of the transaction. The session's row is locked: who rotates
-- or ends it comes one after the other. No row = no such token.
CREATE FUNCTION use_refresh_token(
  p_hash bytea, OUT session_id uuid, OUT user_id uuid, OUT generation integer, OUT newest integer,
  OUT expires_at timestamptz, OUT session_ended boolean
) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER ROWS 1 SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  SELECT t.session_id, s.user_id, t.generation, s.generation, t.expires_at, s.revoked_at IS NOT NULL
    INTO session_id, user_id, generation, newest, expires_at, session_ended
    FROM refresh_tokens AS t JOIN sessions AS s ON s.id = t.session_id
   WHERE t.token_hash = p_hash
     FOR UPDATE OF s;
  IF FOUND THEN
    PERFORM set_config('musclemap.user_id', user_id::text, true);
    RETURN NEXT;
  END IF;
END $$;
REVOKE ALL ON FUNCTION use_refresh_token(bytea) FROM PUBLIC;

-- What gateways must hear of every user's sessions: which have ended, and nothing else of them. The newest first.
CREATE FUNCTION sessions_ended_since(p_since timestamptz, p_most integer) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT id FROM sessions WHERE revoked_at >= p_since ORDER BY revoked_at DESC LIMIT p_most
$$;
REVOKE ALL ON FUNCTION sessions_ended_since(timestamptz, integer) FROM PUBLIC;

-- A page of a channel, as api/feed/queries.sql says. It asks once whether the viewer may read it, where a policy would
-- ask for each row; and a follower's page is made of rows of the owner's. A stream's rows of the release before lie in
-- feed_positions. Offsets are dense down to what was dropped: both ends of the page are known, so that no plan reads more
-- than the page (least ignores nulls). It names the schema of each table, as post_credits does.
CREATE FUNCTION feed_page(p_namespace text, p_channel text, p_before bigint, p_rows integer)
RETURNS TABLE (epoch text, head bigint, "offset" bigint, body json, derived boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 20 AS $$
DECLARE
  v_channel text := CASE WHEN public.may_read_channel(p_channel) THEN p_channel END;
BEGIN
  RETURN QUERY
  SELECT i.epoch, coalesce(c.last_offset, 0) AS head, p."offset", p.body, p.derived
    FROM public.installation AS i
    LEFT JOIN public.feed_channels AS c ON c.namespace = p_namespace AND c.channel = v_channel
    LEFT JOIN LATERAL (
      SELECT f."offset", coalesce(f.body, o.body) AS body, f.source IS NOT NULL AS derived
        FROM public.feed_positions AS f
        LEFT JOIN public.feed_positions AS o ON o.namespace = f.namespace AND o.channel = 'user:' || substr(f.channel, 9)
                                     AND o."offset" = f.source
       WHERE f.namespace = p_namespace AND f.channel = v_channel AND f."offset" < least(p_before, c.last_offset + 1)
         AND f."offset" >= greatest(least(p_before, c.last_offset + 1) - p_rows, c.dropped_through + 1)
      UNION ALL
      SELECT s."offset", s.body, false
        FROM public.stream_positions AS s
       WHERE s.namespace = p_namespace AND s.channel = v_channel AND s."offset" < least(p_before, c.last_offset + 1)
         AND s."offset" >= greatest(least(p_before, c.last_offset + 1) - p_rows, c.dropped_through + 1)
    ) AS p ON true
   ORDER BY p."offset" DESC NULLS LAST;
END $$;
REVOKE ALL ON FUNCTION feed_page(text, text, bigint, integer) FROM PUBLIC;

-- As it was (0010), but that it names the schema of each table, as post_credits does.
CREATE OR REPLACE FUNCTION append_event(
  p_id uuid, p_at timestamptz, p_namespace text, p_type text, p_v integer, p_account uuid, p_user uuid, p_name text,
  p_visibility text[], p_data json
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.activity_events (id, created_at, namespace, account_id, type, v, visibility, data)
  VALUES (p_id, p_at, p_namespace, p_account, p_type, p_v, p_visibility,
          jsonb_strip_nulls(jsonb_build_object('workout_id', p_data -> 'workout_id')));
  INSERT INTO public.outbox (event_id, event_at, namespace, event)
  VALUES (p_id, p_at, p_namespace, json_build_object(
    'id', p_id, 'v', p_v, 'type', p_type,
    'created_at', to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'user', json_build_object('id', p_user, 'name', p_name),
    'visibility', p_visibility, 'data', p_data));
END $$;
