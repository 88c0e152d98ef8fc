-- What the application's role may do, and nothing else. Applied whole at each `make migrate`, after the numbered
-- files, in one transaction. The role's name is the setting musclemap.app_role; it owns nothing.

DO $$
DECLARE
  app text := current_setting('musclemap.app_role');
BEGIN
  EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', app);
  EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM %I', app);
  EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', app);

  -- Written by migrations alone.
  EXECUTE format('GRANT SELECT ON schema_migrations, installation, muscles, equipment, exercises, exercise_muscles TO %I', app);

  -- The books and what they refer to: added to, never changed.
  EXECUTE format('GRANT SELECT, INSERT ON accounts, ledger_transactions, ledger_entries, workouts, workout_exercises,'
                 ' workout_muscles, activity_events TO %I', app);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE (credits, version, updated_at) ON credit_balances TO %I', app);

  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON users, sessions, refresh_tokens TO %I', app);

  -- The relay.
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO %I', app);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE ON feed_channels, leases TO %I', app);
  EXECUTE format('GRANT SELECT, INSERT ON feed_positions TO %I', app);

  EXECUTE format('GRANT EXECUTE ON FUNCTION ensure_event_partitions(date, integer) TO %I', app);
END $$;
