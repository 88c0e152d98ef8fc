-- Proof of an address, and what people may ask of their data: all of it, and its end.

-- --- One row is one mail, and the link in it. What a sign-up said waits here and is nobody yet: an account begins with
-- the proof, so that nobody holds an address that is not theirs. Of the token, which is made when the mail leaves, here
-- is the hash alone.
CREATE TABLE proofs (
  id             uuid PRIMARY KEY,
  -- join: a sign-up. known: a sign-up for an address that has an account. reset: of the password. nobody: a reset for an
  -- address without an account; no mail, but the same work and the same bound.
  kind           text NOT NULL CHECK (kind IN ('join', 'known', 'reset', 'nobody')),
  email          text NOT NULL CHECK (length(email) <= 254),  -- in lower case
  user_id        uuid,  -- whose password
  name           text,
  password_hash  text,
  token_hash     bytea CHECK (length(token_hash) = 32),  -- SHA-256
  created_at     timestamptz NOT NULL,
  expires_at     timestamptz NOT NULL,
  send_at        timestamptz,  -- when the mail is tried next; null = it has left, or there is none
  tries          smallint NOT NULL DEFAULT 0,
  CHECK ((kind = 'join') = (name IS NOT NULL AND password_hash IS NOT NULL)),
  CHECK ((kind = 'reset') = (user_id IS NOT NULL))
);
CREATE UNIQUE INDEX proofs_token ON proofs (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX proofs_email ON proofs (email, created_at);
CREATE INDEX proofs_due ON proofs (send_at) WHERE send_at IS NOT NULL;
CREATE INDEX proofs_expiry ON proofs (expires_at);
CREATE INDEX proofs_user ON proofs (user_id) WHERE user_id IS NOT NULL;

-- Asks for a mail: p_wish is `join` or `reset`. The same statements whether the address has an account or not. False
-- where p_most were asked for it since p_since, or p_waiting mails wait: then nothing is stored.
CREATE FUNCTION ask_proof(
  p_id uuid, p_wish text, p_email text, p_name text, p_password_hash text, p_now timestamptz, p_expires_at timestamptz,
  p_since timestamptz, p_most integer, p_waiting integer
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_user uuid := (SELECT id FROM users WHERE lower(email) = p_email);
  v_kind text := CASE WHEN p_wish = 'join' THEN CASE WHEN v_user IS NULL THEN 'join' ELSE 'known' END
                      ELSE CASE WHEN v_user IS NULL THEN 'nobody' ELSE 'reset' END END;
BEGIN
  INSERT INTO proofs (id, kind, email, user_id, name, password_hash, created_at, expires_at, send_at)
  SELECT p_id, v_kind, p_email, CASE WHEN v_kind = 'reset' THEN v_user END, CASE WHEN v_kind = 'join' THEN p_name END,
         CASE WHEN v_kind = 'join' THEN p_password_hash END, p_now, p_expires_at,
         CASE WHEN v_kind <> 'nobody' THEN p_now END
   WHERE (SELECT count(*) FROM (SELECT FROM proofs WHERE email = p_email AND created_at > p_since LIMIT p_most) AS a) < p_most
     AND (SELECT count(*) FROM (SELECT FROM proofs WHERE send_at IS NOT NULL LIMIT p_waiting) AS w) < p_waiting
  ON CONFLICT (id) DO NOTHING;  -- a repeat after a lost answer
  RETURN FOUND;
END $$;

-- Opens the account that a sign-up asked for. False where the link is used, over, or of something else, or the address
-- has got an account meanwhile. p_user, p_account and p_transaction are fresh ids: a repeat with them is true again.
CREATE FUNCTION prove_join(
  p_token_hash bytea, p_user uuid, p_account uuid, p_transaction uuid, p_welcome bigint, p_trial_ends_at timestamptz,
  p_now timestamptz
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_proof proofs;
BEGIN
  DELETE FROM proofs WHERE token_hash = p_token_hash AND kind = 'join' AND expires_at > p_now RETURNING * INTO v_proof;
  IF NOT FOUND THEN
    RETURN EXISTS (SELECT FROM users WHERE id = p_user);
  ELSIF EXISTS (SELECT FROM users WHERE lower(email) = v_proof.email) THEN
    RETURN false;
  END IF;
  DELETE FROM proofs WHERE email = v_proof.email AND kind = 'join';  -- what others said with this address
  PERFORM open_account(p_account, p_transaction, p_welcome, p_now);
  INSERT INTO users (id, account_id, email, name, password_hash, trial_ends_at, created_at, updated_at)
  VALUES (p_user, p_account, v_proof.email, v_proof.name, v_proof.password_hash, p_trial_ends_at, p_now, p_now);
  RETURN true;
END $$;

-- Gives an account another password and ends its sessions; their ids, or null where the link is used, over, or of
-- something else.
CREATE FUNCTION prove_reset(p_token_hash bytea, p_password_hash text, p_now timestamptz) RETURNS uuid[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_proof proofs;
  v_ended uuid[];
BEGIN
  DELETE FROM proofs WHERE token_hash = p_token_hash AND kind = 'reset' AND expires_at > p_now RETURNING * INTO v_proof;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  UPDATE users SET password_hash = p_password_hash, updated_at = p_now WHERE id = v_proof.user_id;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  DELETE FROM proofs WHERE email = v_proof.email AND kind = 'reset';  -- links of before
  WITH ended AS (
    UPDATE sessions SET revoked_at = p_now, revoked_reason = 'password'
     WHERE user_id = v_proof.user_id AND revoked_at IS NULL
    RETURNING id
  )
  SELECT coalesce(array_agg(id), '{}') INTO v_ended FROM ended;
  RETURN v_ended;
END $$;

-- --- How often somebody did what is bounded by the account: tried a password, took an export.
CREATE TABLE turns (
  user_id   uuid NOT NULL,
  what      text NOT NULL,
  began_at  timestamptz NOT NULL,  -- of the window in which they are counted
  taken     integer NOT NULL,
  PRIMARY KEY (user_id, what)
);

-- --- Which tables hold what is somebody's: by which column, what becomes of it when the account is deleted, and under
-- which name it is in the export. A column of ids that is neither here nor listed as nobody's fails a test.
CREATE TABLE personal_data (
  table_name   text NOT NULL,
  column_name  text NOT NULL,
  -- re-owned: by the pseudonym; with its workout: so too, found by workout_id
  at_end       text NOT NULL CHECK (at_end IN ('deleted', 're-owned', 'with its workout', 'kept')),
  exported_as  text,
  why          text,  -- it is kept, or not exported
  PRIMARY KEY (table_name, column_name),
  CHECK (why IS NOT NULL OR (exported_as IS NOT NULL AND at_end <> 'kept'))
);
INSERT INTO personal_data (table_name, column_name, at_end, exported_as, why) VALUES
  ('users', 'id', 'deleted', 'profile', NULL),
  ('users', 'account_id', 'deleted', 'profile', NULL),
  ('sessions', 'user_id', 'deleted', 'sessions', NULL),
  ('workouts', 'user_id', 're-owned', 'workouts', NULL),
  ('workouts', 'account_id', 'kept', 'workouts', 'the pseudonym'),
  ('workout_exercises', 'user_id', 'with its workout', 'workouts', NULL),
  ('workout_muscles', 'user_id', 'with its workout', 'workouts', NULL),
  ('credit_balances', 'account_id', 'kept', 'profile', 'the books balance'),
  ('ledger_transactions', 'account_id', 'kept', 'ledger', 'the books balance'),
  ('ledger_entries', 'account_id', 'kept', 'ledger', 'the books balance'),
  ('accounts', 'id', 'kept', 'profile', 'the pseudonym'),
  ('activity_events', 'account_id', 'kept', 'events', 'the auditor''s: by the pseudonym, without text'),
  ('follows', 'follower_id', 'deleted', 'following', NULL),
  ('follows', 'followee_id', 'deleted', 'followers', NULL),
  ('blocks', 'blocker_id', 'deleted', 'blocks', NULL),
  ('blocks', 'blocked_id', 'deleted', NULL, 'who was blocked does not hear of it'),
  ('follow_counts', 'user_id', 'deleted', NULL, 'counted from what is exported'),
  ('progress', 'user_id', 'deleted', 'progress', NULL),
  ('training_days', 'user_id', 'deleted', 'training_days', NULL),
  ('user_time_zones', 'user_id', 'deleted', 'time_zones', NULL),
  ('follow_notices', 'follower_id', 'deleted', NULL, 'times of a day'),
  ('follow_notices', 'owner_id', 'deleted', NULL, 'times of a day'),
  ('ended_reads', 'owner_id', 'kept', NULL, 'until no token is left that is void by it, for which the erasure waits'),
  ('ended_reads', 'reader_id', 'kept', NULL, 'ids of the last 22 minutes'),
  ('streak_runs', 'user_id', 'deleted', 'streaks', NULL),
  ('exercise_bests', 'user_id', 'deleted', 'records', NULL),
  ('milestones', 'user_id', 'deleted', 'milestones', NULL),
  ('user_challenges', 'user_id', 'deleted', 'challenges', NULL),
  ('earned_achievements', 'user_id', 'deleted', 'achievements', NULL),
  ('name_tails', 'user_id', 'deleted', NULL, 'the name, by its words'),
  ('rivals', 'user_id', 'deleted', 'rivals', NULL),
  ('rivals', 'rival_id', 'deleted', NULL, 'whose rival one is is theirs to know'),
  ('high_fives', 'sender_id', 'deleted', 'high_fives', NULL),
  ('high_five_notices', 'sender_id', 'deleted', NULL, 'of whom the other has heard'),
  ('high_five_senders', 'user_id', 'deleted', NULL, 'counts of an hour'),
  ('leaderboard', 'users', 'kept', NULL, 'until the next refresh, for which the erasure waits: some minutes'),
  ('leaderboard_snapshots', 'user_id', 're-owned', NULL, 'places of a week; what they are made of is exported'),
  ('purchases', 'account_id', 'kept', 'purchases', 'the books balance'),
  ('credit_claims', 'account_id', 'kept', 'ledger', 'the books balance'),
  ('payment_customers', 'account_id', 'kept', 'subscriptions', 'what the payment provider says later is found by it'),
  ('subscriptions', 'account_id', 'kept', 'subscriptions', 'the pseudonym'),
  ('admin_actions', 'account_id', 'kept', NULL, 'what people with a shell answer for, by the pseudonym'),
  ('proofs', 'user_id', 'deleted', NULL, 'mails of an hour'),
  ('turns', 'user_id', 'deleted', NULL, 'counts of a day'),
  ('erasures', 'user_id', 'kept', NULL, 'until nothing of the user is left in Redis: 22 minutes');

-- --- Deletion. Nothing here says who it was: sessions that must be refused until their tokens are over, ...
CREATE TABLE ended_sessions (
  id        uuid PRIMARY KEY,
  ended_at  timestamptz NOT NULL
);
CREATE INDEX ended_sessions_at ON ended_sessions (ended_at);

-- As it was (0013), and with those of deleted users, who have no row of their own any more.
CREATE OR REPLACE FUNCTION sessions_ended_since(p_since timestamptz, p_most integer) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT id FROM (
    (SELECT id, revoked_at AS at FROM sessions WHERE revoked_at >= p_since ORDER BY revoked_at DESC LIMIT p_most)
    UNION ALL
    (SELECT id, ended_at FROM ended_sessions WHERE ended_at >= p_since ORDER BY ended_at DESC LIMIT p_most)
  ) AS ended ORDER BY at DESC LIMIT p_most
$$;

-- ... and users of whom Redis may still know something.
CREATE TABLE erasures (
  user_id  uuid PRIMARY KEY,
  at       timestamptz NOT NULL,
  told     text[] NOT NULL  -- channels of others whose feeds told of them
);

-- Takes a user out of every feed: their own with everything in it, what waits for the relay, and their name from what
-- others were told. Returns the channels of those others.
CREATE FUNCTION forget_in_feeds(p_user uuid) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_told text[];
BEGIN
  DELETE FROM outbox WHERE event #>> '{user,id}' = p_user::text;  -- first, as the relay does: who numbers them now wins
  DELETE FROM feed_positions WHERE namespace = 'musclemap' AND channel IN ('user:' || p_user, 'profile:' || p_user);
  DELETE FROM feed_channels WHERE namespace = 'musclemap' AND channel IN ('user:' || p_user, 'profile:' || p_user);
  WITH told AS (
    UPDATE feed_positions SET body = (jsonb_set(body::jsonb, '{actor}', 'null') #- '{data,user}')::json
     WHERE channel LIKE 'user:%' AND body #>> '{actor,id}' <> substr(channel, 6) AND body #>> '{actor,id}' = p_user::text
    RETURNING channel
  )
  SELECT coalesce(array_agg(DISTINCT channel), '{}') INTO v_told FROM told;
  RETURN v_told;
END $$;

-- Deletes a user, where p_password_hash is theirs: severs the pseudonym from name and address, and leaves under it the
-- workouts, without what was written, and the books. Returns the pseudonym, the sessions that ended, and up to when
-- channel tokens for the profile are void; null where there is no such user. Locks the balance first, as workouts do.
CREATE FUNCTION erase_user(
  p_user uuid, p_password_hash text, p_now timestamptz, OUT account uuid, OUT ended uuid[],
  OUT void_before bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_user users;
  v_one record;
BEGIN
  PERFORM ask_as(p_user);
  PERFORM FROM credit_balances WHERE account_id = (SELECT account_id FROM users WHERE id = p_user) FOR UPDATE;
  SELECT * INTO v_user FROM users WHERE id = p_user AND password_hash = p_password_hash FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  account := v_user.account_id;
  WITH gone AS (
    INSERT INTO ended_sessions (id, ended_at) SELECT id, p_now FROM sessions WHERE user_id = p_user RETURNING id
  )
  SELECT coalesce(array_agg(id), '{}') INTO ended FROM gone;
  INSERT INTO erasures (user_id, at, told) VALUES (p_user, p_now, forget_in_feeds(p_user));

  UPDATE follow_counts AS c SET followers = greatest(c.followers - 1, 0) FROM follows AS f
   WHERE f.follower_id = p_user AND f.state = 'following' AND c.user_id = f.followee_id;
  UPDATE follow_counts AS c SET following = greatest(c.following - 1, 0) FROM follows AS f
   WHERE f.followee_id = p_user AND f.state = 'following' AND c.user_id = f.follower_id;
  UPDATE follow_counts AS c SET requested = greatest(c.requested - 1, 0) FROM follows AS f
   WHERE f.followee_id = p_user AND f.state = 'requested' AND c.user_id = f.follower_id;
  UPDATE follow_counts AS c SET blocked = greatest(c.blocked - 1, 0) FROM blocks AS b
   WHERE b.blocked_id = p_user AND c.user_id = b.blocker_id;
  void_before := end_reading(p_user, p_user, p_now);
  DELETE FROM proofs WHERE email = lower(v_user.email);
  FOR v_one IN SELECT * FROM personal_data AS d WHERE d.at_end <> 'kept' AND d.table_name NOT IN ('users', 'workouts') LOOP
    EXECUTE format(CASE v_one.at_end
      WHEN 'deleted' THEN 'DELETE FROM public.%1$I WHERE %2$I = $1'
      WHEN 're-owned' THEN 'UPDATE public.%1$I SET %2$I = $2 WHERE %2$I = $1'
      ELSE 'UPDATE public.%1$I AS p SET %2$I = $2 FROM public.workouts AS w WHERE w.user_id = $1 AND p.workout_id = w.id'
    END, v_one.table_name, v_one.column_name) USING p_user, account;
  END LOOP;
  -- Keys may be words too, and the hash of an input tells a short note to whoever tries them all.
  UPDATE workouts SET user_id = account_id, note = NULL, idempotency_key = id::text, input_hash = sha256(uuid_send(id))
   WHERE user_id = p_user;
  DELETE FROM users WHERE id = p_user;
END $$;

-- After a look at Redis: what came meanwhile goes too. True where nothing is left to be done: Redis knew nothing any more
-- (p_clean), the account ended before p_before, nothing of that time waits for the relay, no token is
-- left that may not read the profile, and no leaderboard has the user.
CREATE FUNCTION settle_erasure(p_user uuid, p_clean boolean, p_before timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_told text[];
BEGIN
  IF NOT EXISTS (SELECT FROM erasures WHERE user_id = p_user) THEN  -- another API was faster
    RETURN true;
  END IF;
  v_told := forget_in_feeds(p_user);
  IF v_told <> '{}' THEN
    UPDATE erasures SET told = told || v_told WHERE user_id = p_user;
    RETURN false;
  END IF;
  DELETE FROM erasures AS e WHERE e.user_id = p_user AND p_clean AND e.at < p_before
     AND coalesce((SELECT o.event_at FROM outbox AS o ORDER BY o.id LIMIT 1) > e.at, true)
     AND NOT EXISTS (SELECT FROM ended_reads WHERE owner_id = p_user)
     AND NOT EXISTS (SELECT FROM leaderboard WHERE part = 0 AND p_user = ANY (users));
  RETURN FOUND;
END $$;
