-- The statements of the SQL function log_workout one by one, as a client would send them that holds the decision
-- itself. Run as the owner: the application's role may not write to the books. Each client has users of its own.
\set user :client_id * :users_each + random(1, :users_each)
\set n random(1, 9000000000000000000)
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT set_config('musclemap.user_id', ('00000000-0000-7000-9000-' || lpad(to_hex(:user::bigint), 12, '0')), true);
SELECT u.account_id AS account, u.name AS name, u.time_zone AS zone, b.credits AS credits, b.version AS version
  FROM users AS u JOIN credit_balances AS b ON b.account_id = u.account_id
 WHERE u.id = ('00000000-0000-7000-9000-' || lpad(to_hex(:user::bigint), 12, '0'))::uuid FOR UPDATE OF b \gset
INSERT INTO workouts (id, user_id, account_id, idempotency_key, input_hash, performed_at, local_date, time_zone, note,
                      visibility, total_tu, charged, created_at)
VALUES (lpad(to_hex(:n::bigint), 32, '1')::uuid,
        ('00000000-0000-7000-9000-' || lpad(to_hex(:user::bigint), 12, '0'))::uuid, :account, :n::bigint::text,
        decode(repeat('ab', 32), 'hex'), now(), (now() AT TIME ZONE :zone)::date, :zone, 'after work',
        '{PUBLIC_ANON,PUBLIC_PROFILE}', 240, 25, now())
ON CONFLICT (user_id, idempotency_key) DO NOTHING;
INSERT INTO workout_exercises (workout_id, position, user_id, exercise_id, sets)
SELECT lpad(to_hex(:n::bigint), 32, '1')::uuid, e.position,
       ('00000000-0000-7000-9000-' || lpad(to_hex(:user::bigint), 12, '0'))::uuid, e.exercise_id, :sets::jsonb
  FROM unnest(:exercises::uuid[]) WITH ORDINALITY AS e (exercise_id, position);
INSERT INTO workout_muscles (workout_id, muscle_id, user_id, training_units)
SELECT lpad(to_hex(:n::bigint), 32, '1')::uuid, m.muscle_id,
       ('00000000-0000-7000-9000-' || lpad(to_hex(:user::bigint), 12, '0'))::uuid, 120.5
  FROM unnest(:muscles::uuid[]) AS m (muscle_id);
SELECT id AS system FROM accounts WHERE slug = 'workouts' \gset
UPDATE credit_balances SET credits = credits - 25, version = version + 1, updated_at = now()
 WHERE account_id = :account RETURNING credits AS credits, version AS version \gset
INSERT INTO ledger_transactions (id, account_id, reason, workout_id, created_at)
VALUES (lpad(to_hex(:n::bigint), 32, '2')::uuid, :account, 'workout', lpad(to_hex(:n::bigint), 32, '1')::uuid, now());
INSERT INTO ledger_entries (transaction_id, account_id, amount, balance_after, version, created_at)
VALUES (lpad(to_hex(:n::bigint), 32, '2')::uuid, :account, -25, :credits, :version, now()),
       (lpad(to_hex(:n::bigint), 32, '2')::uuid, :system, 25, NULL, NULL, now());
INSERT INTO activity_events (id, created_at, account_id, type, v, visibility, data)
VALUES (lpad(to_hex(:n::bigint), 32, '3')::uuid, now(), :account, 'workout_completed', 1,
        '{PUBLIC_ANON,PUBLIC_PROFILE}', json_build_object('workout_id', lpad(to_hex(:n::bigint), 32, '1')));
INSERT INTO outbox (event_id, event_at, event)
VALUES (lpad(to_hex(:n::bigint), 32, '3')::uuid, now(), json_build_object('id', lpad(to_hex(:n::bigint), 32, '3')::uuid,
        'v', 1, 'type', 'workout_completed', 'created_at', now(), 'user', json_build_object('id', :user::bigint,
        'name', :name::text), 'visibility', '{PUBLIC_ANON,PUBLIC_PROFILE}'::text[], 'data', :data::json));
COMMIT;
