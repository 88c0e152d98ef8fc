-- Events: how one is recorded, and the months in which they lie.

-- The one way in which an event is recorded: the event for good, and its row for the relay. Times in the JSON are
-- ISO 8601 in UTC whatever the session's time zone is.
CREATE FUNCTION append_event(
  p_id uuid, p_at timestamptz, p_namespace text, p_type text, p_v integer, p_account uuid, p_user uuid, p_name text,
  p_visibility text[], p_data json
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO activity_events (id, created_at, namespace, account_id, type, v, visibility, data)
  VALUES (p_id, p_at, p_namespace, p_account, p_type, p_v, p_visibility, p_data);
  INSERT INTO outbox (event_id, event_at, namespace, event)
  VALUES (p_id, p_at, p_namespace, json_build_object(
    'id', p_id, 'v', p_v, 'type', p_type,
    'created_at', to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'user', json_build_object('id', p_user, 'name', p_name),
    'visibility', p_visibility, 'data', p_data));
END $$;

-- Makes the partitions of p_months months from the one of p_from on; returns how many were new. The application's
-- role owns nothing and may still do this: the function runs as the owner. A month whose events already lie in the
-- partition for all others is moved over.
CREATE FUNCTION ensure_event_partitions(p_from date, p_months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_month date;
  v_name text;
  v_made integer := 0;
  v_moved boolean;
BEGIN
  IF p_months NOT BETWEEN 1 AND 60 THEN
    RAISE EXCEPTION 'between 1 and 60 months' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('musclemap.ensure_event_partitions'));
  FOR i IN 0 .. p_months - 1 LOOP
    v_month := (date_trunc('month', p_from) + make_interval(months => i))::date;
    v_name := 'activity_events_' || to_char(v_month, 'YYYY_MM');
    CONTINUE WHEN to_regclass('public.' || v_name) IS NOT NULL;
    v_moved := EXISTS (
      SELECT FROM public.activity_events_other
      WHERE created_at >= v_month::timestamp AT TIME ZONE 'UTC'
        AND created_at < (v_month + interval '1 month') AT TIME ZONE 'UTC'
    );
    IF v_moved THEN
      ALTER TABLE public.activity_events DETACH PARTITION public.activity_events_other;
    END IF;
    EXECUTE format(
      'CREATE TABLE public.%I PARTITION OF public.activity_events FOR VALUES FROM (%L) TO (%L)', v_name,
      v_month::timestamp AT TIME ZONE 'UTC', (v_month + interval '1 month') AT TIME ZONE 'UTC');
    IF v_moved THEN
      EXECUTE format(
        'WITH moved AS (DELETE FROM public.activity_events_other
                        WHERE created_at >= %L AND created_at < %L RETURNING *)
         INSERT INTO public.activity_events SELECT * FROM moved',
        v_month::timestamp AT TIME ZONE 'UTC', (v_month + interval '1 month') AT TIME ZONE 'UTC');
      ALTER TABLE public.activity_events ATTACH PARTITION public.activity_events_other DEFAULT;
    END IF;
    v_made := v_made + 1;
  END LOOP;
  RETURN v_made;
END $$;
REVOKE ALL ON FUNCTION ensure_event_partitions(date, integer) FROM PUBLIC;
SELECT ensure_event_partitions(current_date, 6);
