-- A month's partition is made as a table of its own and attached: nobody who reads or writes other months waits.

-- Makes the partition of p_month of a table that is partitioned by a time: `made`, `there` already, or `begun`: its rows
-- lie in the partition for all others, and stay there. To attach one takes, for that partition, a lock that waits for
-- whoever reads it, a backup too, and others wait behind: so not for long (55P03 then), and nothing of it is left. It is
-- looked through for rows of the month meanwhile; it is empty where months were made ahead. The application's role owns
-- nothing and may still do this: the function runs as the owner.
CREATE FUNCTION make_month(p_table text, p_month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET lock_timeout TO '200ms' AS $$
DECLARE
  v_from timestamptz := date_trunc('month', p_month)::timestamp AT TIME ZONE 'UTC';
  v_to timestamptz := (date_trunc('month', p_month) + interval '1 month')::timestamp AT TIME ZONE 'UTC';
  v_name text := p_table || '_' || to_char(p_month, 'YYYY_MM');
  v_key text;
  v_others text;
  v_begun boolean;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('musclemap.make_month'));
  IF to_regclass('public.' || quote_ident(v_name)) IS NOT NULL THEN
    RETURN 'there';
  END IF;
  SELECT a.attname, o.relname INTO STRICT v_key, v_others
    FROM pg_partitioned_table AS p
    JOIN pg_class AS o ON o.oid = p.partdefid
    JOIN pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
   WHERE p.partrelid = ('public.' || quote_ident(p_table))::regclass;
  EXECUTE format('SELECT EXISTS (SELECT FROM public.%I WHERE %I >= $1 AND %I < $2)', v_others, v_key, v_key)
    INTO v_begun USING v_from, v_to;
  IF v_begun THEN
    RETURN 'begun';
  END IF;
  EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', v_name, p_table);
  EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                 p_table, v_name, v_from, v_to);
  RETURN 'made';
END $$;
REVOKE ALL ON FUNCTION make_month(text, date) FROM PUBLIC;

-- As workers of the release before call it.
CREATE OR REPLACE FUNCTION ensure_event_partitions(p_from date, p_months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_made integer := 0;
BEGIN
  IF p_months NOT BETWEEN 1 AND 60 THEN
    RAISE EXCEPTION 'between 1 and 60 months' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR i IN 0 .. p_months - 1 LOOP
    IF make_month('activity_events', (p_from + make_interval(months => i))::date) = 'made' THEN
      v_made := v_made + 1;
    END IF;
  END LOOP;
  RETURN v_made;
END $$;
