-- What the two roles of the product may do, and nothing else: that of the API, and that of the worker. Applied whole at
-- each `make migrate`, after the numbered files, in one transaction. The roles' names are the settings musclemap.app_role
-- and musclemap.worker_role; they own nothing. Which rows: policies.sql.

DO $$
DECLARE
  app text := current_setting('musclemap.app_role');
  worker text := current_setting('musclemap.worker_role');
  owned regprocedure;
  role text;
BEGIN
  -- What runs as the owner is for whom it is granted to. PostgreSQL gives a function to everybody, and a restore makes
  -- them all anew.
  FOR owned IN SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, %I, %I', owned, app, worker);
  END LOOP;
  FOREACH role IN ARRAY ARRAY[app, worker] LOOP
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', role);
    EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM %I', role);
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
    -- Written by migrations alone.
    EXECUTE format('GRANT SELECT ON schema_migrations, installation, muscles, equipment, exercises, exercise_muscles,'
                   ' archetypes, achievements, challenges TO %I', role);
  END LOOP;
END $$;

-- --- The API: accounts, the books, workouts, events.
DO $$
DECLARE
  app text := current_setting('musclemap.app_role');
BEGIN
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON users, sessions, refresh_tokens TO %I', app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION user_of_email(text), use_refresh_token(bytea),'
                 ' sessions_ended_since(timestamptz, integer) TO %I', app);

  -- The books: read here, written by functions alone. To lock a balance takes the right to update some column of it.
  EXECUTE format('GRANT SELECT ON credit_balances, ledger_transactions, ledger_entries TO %I', app);
  EXECUTE format('GRANT UPDATE (updated_at) ON credit_balances TO %I', app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION open_account(uuid, uuid, bigint, timestamptz) TO %I', app);

  -- Payments: written by the functions that take what the payment provider says. Grants, roles and flags are the owner's
  -- (api/admin.py): no request can give any.
  EXECUTE format('GRANT SELECT ON credit_claims, purchases, payment_customers, subscriptions, flags, flag_versions TO %I',
                 app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION'
                 ' take_checkout(text, text, timestamptz, timestamptz, text, uuid, text, bigint, text),'
                 ' take_refund(text, text, timestamptz, timestamptz, text, text, bigint, bigint),'
                 ' take_subscription(text, text, timestamptz, timestamptz, text, uuid, text, smallint, text,'
                 ' timestamptz, boolean),'
                 ' take_invoice(text, text, timestamptz, timestamptz, text, timestamptz) TO %I', app);

  -- What is earned: read here, written by the functions that earn it.
  EXECUTE format('GRANT SELECT ON progress, training_days, user_time_zones, streak_runs, exercise_bests, milestones,'
                 ' user_challenges, earned_achievements TO %I', app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION'
                 ' set_time_zone(uuid, text, timestamptz, integer, uuid),'
                 ' join_challenge(uuid, timestamptz, uuid, date, double precision, double precision, integer, uuid)'
                 ' TO %I', app);

  -- Written by its function alone.
  EXECUTE format('GRANT SELECT ON workouts, workout_exercises, workout_muscles TO %I', app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION log_workout(uuid, text, bytea, timestamptz, bigint, uuid, uuid, uuid,'
                 ' timestamptz, text, text[], double precision, uuid[], text[], uuid[], double precision[], json, uuid[],'
                 ' double precision[], date, uuid[], double precision[], double precision[], integer[],'
                 ' double precision[], double precision[]) TO %I', app);

  -- An event is put out, never changed, and read again when it is numbered.
  EXECUTE format('GRANT INSERT ON activity_events, outbox TO %I', app);
  EXECUTE format('GRANT SELECT ON feed_channels, feed_positions TO %I', app);
  -- Of a stream's positions not the way from an anonymous event to its owner.
  EXECUTE format('GRANT SELECT (namespace, channel, "offset", event_id, event_at, numbered_at, body)'
                 ' ON stream_positions TO %I', app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION may_read_channel(text), feed_page(text, text, bigint, integer),'
                 ' channel_page(text, text, bigint, integer) TO %I', app);
END $$;

-- --- The API: the community, and what people may ask of their data.
DO $$
DECLARE
  app text := current_setting('musclemap.app_role');
BEGIN
  -- High fives: how many, and one's own; nothing by which an owner could be found.
  EXECUTE format('GRANT SELECT ON high_five_counts TO %I', app);
  EXECUTE format('GRANT SELECT (rendition_id, sender_id, share, sent_at) ON high_fives TO %I', app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION send_high_five(uuid, uuid, uuid, integer, integer, timestamptz) TO %I', app);

  -- People: who may see and change what of whom the functions decide.
  EXECUTE format('GRANT EXECUTE ON FUNCTION profiles_of(uuid, uuid[], timestamptz),'
                 ' achieved_by(uuid, uuid[], timestamptz),'
                 ' people_of(uuid, uuid, text, timestamptz, uuid, integer, timestamptz),'
                 ' people_named(uuid, text, text, uuid, integer, timestamptz), channels_open_to(uuid, uuid[]),'
                 ' profile_feed(uuid, uuid, bigint, integer), following_feed(uuid, uuid, integer),'
                 ' follow_user(uuid, uuid, integer, integer, timestamptz, uuid),'
                 ' unfollow_user(uuid, uuid, timestamptz), answer_follow(uuid, uuid, boolean, timestamptz),'
                 ' block_user(uuid, uuid, integer, timestamptz), unblock_user(uuid, uuid, timestamptz),'
                 ' set_audience(uuid, text, timestamptz),'
                 ' reading_ended_since(timestamptz, integer), audiences_since(timestamptz, integer) TO %I', app);

  -- Leaderboards and rivals: others' rows are told by functions alone.
  EXECUTE format('GRANT EXECUTE ON FUNCTION leaderboard_page(uuid, text, text, integer, integer),'
                 ' add_rival(uuid, uuid, timestamptz, integer), remove_rival(uuid, uuid), rivals_of(uuid) TO %I', app);
  EXECUTE format('GRANT SELECT ON rivals TO %I', app);  -- one's own, to take along

  -- Operators: each function asks for their role.
  EXECUTE format('GRANT EXECUTE ON FUNCTION is_operator(uuid), person_of(uuid, text), event_places(uuid, uuid, uuid),'
                 ' events_waiting(uuid, uuid, integer), jobs_seen(uuid) TO %I', app);

  -- Other apps, and the commands about them.
  EXECUTE format('GRANT SELECT ON apps, widget_tokens TO %I', app);
  EXECUTE format('GRANT SELECT (namespace) ON app_keys TO %I', app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION app_of_key(text, bytea), app_history(text, text, bigint, integer),'
                 ' publish_app_events(text, text[], text[], text[], timestamptz, integer),'
                 ' create_app(uuid, timestamptz, text, text, bytea, integer),'
                 ' rotate_app_key(uuid, timestamptz, text, text, bytea),'
                 ' set_app(uuid, timestamptz, text, text, json),'
                 ' note_widget_token(uuid, timestamptz, text, uuid, text, json, timestamptz, integer),'
                 ' revoke_widget_token(uuid, timestamptz, text, uuid) TO %I', app);

  -- Proof of an address, and the end of an account: what is somebody else's is the functions' alone.
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON proofs, turns TO %I', app);
  EXECUTE format('GRANT SELECT ON personal_data, erasures TO %I', app);
  EXECUTE format('GRANT SELECT ON follows, blocks TO %I', app);
  EXECUTE format('GRANT EXECUTE ON FUNCTION prove_reset(bytea, text, timestamptz), erase_user(uuid, text, timestamptz),'
                 ' prove_join(bytea, uuid, uuid, uuid, bigint, timestamptz, timestamptz),'
                 ' ask_proof(uuid, text, text, text, text, timestamptz, timestamptz, timestamptz, integer, integer),'
                 ' settle_erasure(uuid, boolean, timestamptz) TO %I', app);
END $$;

-- --- The worker.
DO $$
DECLARE
  worker text := current_setting('musclemap.worker_role');
BEGIN
  -- The relay.
  EXECUTE format('GRANT SELECT, UPDATE, DELETE ON outbox TO %I', worker);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE ON feed_channels, leases TO %I', worker);
  EXECUTE format('GRANT SELECT, INSERT ON feed_positions, stream_positions TO %I', worker);

  -- The auditor. No address, and no hash of a password.
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON audit_windows, audits TO %I', worker);
  EXECUTE format('GRANT SELECT ON accounts, credit_balances, ledger_transactions, ledger_entries, workouts,'
                 ' workout_exercises, workout_muscles, activity_events TO %I', worker);
  EXECUTE format('GRANT SELECT ON high_fives, high_five_counts, credit_claims, purchases, payment_refunds,'
                 ' payment_customers, subscriptions TO %I', worker);
  EXECUTE format('GRANT SELECT (id, action, account_id, arguments) ON admin_actions TO %I', worker);
  EXECUTE format('GRANT SELECT (id, account_id, name, tier, audience, time_zone, subscribed_until, created_at) ON users TO %I', worker);

  -- Partitions, and what is dropped by time: how much is not theirs to say, the functions bound it. To skip what others
  -- have locked takes the right to update some column of it.
  EXECUTE format('GRANT SELECT ON retention TO %I', worker);
  EXECUTE format('GRANT SELECT, DELETE, UPDATE (revoked_at) ON sessions TO %I', worker);
  EXECUTE format('GRANT SELECT, DELETE ON ended_sessions TO %I', worker);
  EXECUTE format('GRANT SELECT (id, expires_at), DELETE, UPDATE (tries) ON proofs TO %I', worker);
  EXECUTE format('GRANT SELECT, DELETE ON ended_reads, app_event_ids TO %I', worker);
  EXECUTE format('GRANT EXECUTE ON FUNCTION make_month(text, date),'
                 ' drop_events(integer, integer, timestamptz[], uuid[], uuid[]),'
                 ' drop_streams(integer, bigint, integer), drop_high_fives(integer, integer) TO %I', worker);

  -- The jobs.
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON job_runs, leaderboard_snapshots TO %I', worker);
  EXECUTE format('GRANT SELECT ON progress, training_days, user_time_zones, streak_runs, exercise_bests, milestones,'
                 ' user_challenges, earned_achievements, rivals, leaderboard TO %I', worker);
  EXECUTE format('GRANT UPDATE (streak_over) ON progress TO %I', worker);
  EXECUTE format('GRANT UPDATE (my_score, their_score) ON rivals TO %I', worker);
  EXECUTE format('GRANT EXECUTE ON FUNCTION refresh_leaderboards(),'
                 ' assign_daily_challenges(timestamptz, timestamptz, uuid, integer) TO %I', worker);
END $$;
