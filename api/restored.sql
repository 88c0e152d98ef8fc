-- The end of every restore, in its transaction. Numbers go back to those of the dump: the next events get offsets that
-- others have had. A new epoch says so to every client, gateway and Redis.
DO $$
BEGIN
  UPDATE public.installation SET epoch = left(replace(gen_random_uuid()::text, '-', ''), 16);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the dump is of no installation';
  END IF;
  -- Redis has seen terms that this database has not: it refuses older ones. Seconds since 1970 are more than any
  -- number of changes of holder.
  UPDATE public.leases SET until = now(), term = greatest(term, extract(epoch FROM now())::bigint);
END
$$;
