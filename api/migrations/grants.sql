-- What the application's role may do, and nothing else. Applied whole at each `make migrate`, after the numbered
-- files, in one transaction. The role's name is the setting musclemap.app_role; it owns nothing.

DO $$
DECLARE
  app text := current_setting('musclemap.app_role');
  owned regprocedure;
BEGIN
  -- What runs as the owner is for whom it is granted to. PostgreSQL gives a function to everybody, and a restore makes
  -- them all anew.
  FOR owned IN SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', owned);
  END LOOP;

  EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', app);
  EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM %I', app);
  EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', app);

  -- Written by migrations alone.
  EXECUTE format('GRANT SELECT ON schema_migrations, installation, muscles, equipment, exercises, exercise_muscles,'
                 ' archetypes, achievements, challenges TO %I', app);

  -- The books: read here, written by post_credits and open_account alone. To lock a balance takes the right to update
  -- some column of it.
  EXECUTE format('GRANT SELECT ON accounts, credit_balances, ledger_transactions, ledger_entries TO %I', app);
  EXECUTE format('GRANT UPDATE (updated_at) ON credit_balances TO %I', app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION open_account(uuid, uuid, bigint, timestamptz),'
                 ' post_credits(uuid, uuid, text, bigint, text, uuid, timestamptz) TO %I', app);

  -- What is earned: read here, written by the functions that earn it.
  EXECUTE format('GRANT SELECT ON progress, training_days, user_time_zones, streak_runs, exercise_bests, milestones,'
                 ' user_challenges, earned_achievements TO %I', app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION'
                 ' earn(uuid, uuid, timestamptz, timestamptz, date, double precision, uuid[], double precision[], date,'
                 ' uuid[], double precision[], double precision[], integer[], double precision[], double precision[]),'
                 ' set_time_zone(uuid, text, timestamptz, integer, uuid),'
                 ' join_challenge(uuid, timestamptz, uuid, date, double precision, double precision, integer, uuid),'
                 ' assign_daily_challenges(timestamptz, timestamptz, uuid, integer) TO %I', app);

  -- Added to, never changed.
  EXECUTE format('GRANT SELECT, INSERT ON workouts, workout_exercises, workout_muscles, activity_events TO %I', app);

  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON users, sessions, refresh_tokens TO %I', app);

  -- The relay.
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO %I', app);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE ON feed_channels, leases TO %I', app);
  EXECUTE format('GRANT SELECT, INSERT ON feed_positions, stream_positions TO %I', app);

  -- The auditor.
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON audit_windows, audits TO %I', app);

  -- Partitions, and what is dropped by time: how much is not theirs to say, the functions bound it.
  EXECUTE format('GRANT SELECT ON retention TO %I', app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION ensure_event_partitions(date, integer), make_month(text, date),'
                 ' drop_events(integer, integer, timestamptz[], uuid[], uuid[]),'
                 ' drop_streams(integer, bigint, integer) TO %I', app);
END $$;
