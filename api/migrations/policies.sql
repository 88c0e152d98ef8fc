-- outside a transaction
-- Who may see and write which row: row level security, in one place. Applied at each `make migrate` after the grants, one
-- table a transaction; a table that has its policies already is not locked.
--
-- `viewer()` is who asks (0012_community.sql), null = nobody. It stands in a SELECT of its own, which is evaluated once a
-- statement. The API's role sees and writes the rows for which the rule holds. The owner, as whom functions run that are
-- SECURITY DEFINER, and the worker see all; what each may do at all the grants say. A partition has no policy: nobody but
-- the owner has a grant on one, and the policies of its table hold for whoever reads it by that.
--
-- `none: reason` is for tables without a user's rows; tests/integration/test_row_security.py misses what is not listed.
DROP TABLE IF EXISTS pg_temp.rules;
CREATE TEMP TABLE rules AS
SELECT list.name, list.rule
  FROM (SELECT '(SELECT viewer())' AS me,
               'user_id = (SELECT viewer())' AS mine,
               'account_id = (SELECT u.account_id FROM users AS u WHERE u.id = (SELECT viewer()))' AS my_account) AS words
 CROSS JOIN LATERAL (VALUES
  -- Accounts. Names of others come by functions that decide what may be told.
  ('users', 'id = ' || me),
  ('accounts', replace(my_account, 'account_id = ', 'id = ')),
  ('sessions', mine),
  ('refresh_tokens', 'EXISTS (SELECT FROM sessions AS s WHERE s.id = session_id)'),  -- of those that one sees
  ('user_time_zones', mine),
  ('turns', mine),
  -- Credits and payments.
  ('credit_balances', my_account),
  ('ledger_transactions', my_account),
  ('ledger_entries', my_account),
  ('credit_claims', my_account),
  ('purchases', my_account),
  ('payment_customers', my_account),
  ('subscriptions', my_account || ' OR account_id IS NULL AND customer IN (SELECT c.customer FROM payment_customers AS c)'),
  -- Workouts, and what they earn.
  ('workouts', mine),
  ('workout_exercises', mine),
  ('workout_muscles', mine),
  ('progress', mine),
  ('training_days', mine),
  ('streak_runs', mine),
  ('exercise_bests', mine),
  ('milestones', mine),
  ('user_challenges', mine),
  ('earned_achievements', mine),
  -- People.
  ('follows', me || ' IN (follower_id, followee_id)'),
  ('blocks', 'blocker_id = ' || me),
  ('follow_counts', mine),
  ('follow_notices', 'follower_id = ' || me),
  ('rivals', mine),
  -- Events.
  ('activity_events', my_account),
  ('outbox', 'event #>> ''{user,id}'' = ' || me || '::text'),
  ('feed_channels', 'may_read_channel(channel)'),
  ('feed_positions', 'may_read_channel(channel)'),
  ('high_fives', 'sender_id = ' || me)
) AS list (name, rule);

INSERT INTO pg_temp.rules VALUES
  ('installation', 'none: the epoch'),
  ('schema_migrations', 'none: what was applied'),
  ('personal_data', 'none: written by migrations alone'),
  ('muscles', 'none: reference data'),
  ('equipment', 'none: reference data'),
  ('exercises', 'none: reference data'),
  ('exercise_muscles', 'none: reference data'),
  ('archetypes', 'none: reference data'),
  ('achievements', 'none: reference data'),
  ('challenges', 'none: reference data'),
  ('leases', 'none: of the workers'),
  ('job_runs', 'none: of the workers'),
  ('leaderboard_snapshots', 'none: of the workers alone, names no user but by id'),
  ('audit_windows', 'none: counts'),
  ('audits', 'none: counts'),
  ('retention', 'none: times and counts'),
  ('stream_positions', 'none: everybody may read it'),
  ('high_five_counts', 'none: of renditions, for whoever reads them'),
  ('high_five_notices', 'none: read and written by functions of the owner alone'),
  ('high_five_senders', 'none: read and written by functions of the owner alone'),
  ('payment_events', 'none: ids and times of the payment provider''s events'),
  ('payment_refunds', 'none: sums of a payment, which names nobody'),
  ('admin_actions', 'none: the owner''s; the auditor reads which grants there were'),
  ('flags', 'none: of nobody; users are named in flag_versions by a hash'),
  ('flag_versions', 'none: of nobody; users are named by a hash'),
  ('proofs', 'none: of people who are not signed in; functions and the sender of mails decide'),
  ('ended_sessions', 'none: ids of sessions of nobody'),
  ('ended_reads', 'none: ids alone, of the last minutes'),
  ('erasures', 'none: users who are gone; written by functions alone'),
  ('apps', 'none: of the installation'),
  ('app_keys', 'none: hashes, found by functions'),
  ('app_rates', 'none: written by a function'),
  ('app_channels', 'none: names of channels, written by a function'),
  ('app_event_ids', 'none: ids that apps give, written by a function'),
  ('widget_tokens', 'none: public keys of the installation'),
  ('name_tails', 'none: parts of the names of those whom everybody may find; read by a function alone');

DO $$
DECLARE
  listed record;
  wanted record;
BEGIN
  FOR listed IN SELECT name, rule FROM pg_temp.rules WHERE rule NOT LIKE 'none: %' ORDER BY name LOOP
    -- A policy's name says what it is made of: PostgreSQL keeps the rule in words of its own.
    SELECT array_agg(name) AS names, array_agg(format('CREATE POLICY %I ON %I TO %I USING (%s)', name, listed.name, role, rule))
             AS made INTO wanted
      FROM (
        SELECT role, rule, whose || '_' || md5(role || ' ' || rule) AS name
          FROM (VALUES ('app', current_setting('musclemap.app_role'), listed.rule),
                       ('worker', current_setting('musclemap.worker_role'), 'true'),
                       ('owner', current_user::text, 'true')) AS of (whose, role, rule)
      ) AS policies;
    CONTINUE WHEN (
      SELECT c.relrowsecurity AND c.relforcerowsecurity AND ARRAY(
               SELECT polname::text FROM pg_policy WHERE polrelid = c.oid ORDER BY 1)
             = ARRAY(SELECT unnest(wanted.names) ORDER BY 1)
        FROM pg_class AS c WHERE c.oid = listed.name::regclass);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', listed.name);
    EXECUTE (SELECT string_agg(statement, '; ') FROM (
      SELECT format('DROP POLICY %I ON %I', polname, listed.name) FROM pg_policy WHERE polrelid = listed.name::regclass
      UNION ALL SELECT unnest(wanted.made)) AS all_of (statement));
    COMMIT;
  END LOOP;
END $$;
