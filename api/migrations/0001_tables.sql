-- Every table of the first release.
--
-- The namespace stands wherever another app of this server will have rows of its own; `musclemap` is ours.
-- Ids are UUIDv7 made in Python; ids of reference data are UUIDv5 of their slug.
-- What belongs to a user carries user_id: the key by which the tables could be distributed over several servers.

CREATE TABLE installation (
  only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch       text NOT NULL,  -- of every feed; changes only when numbering can go back: after a restore
  created_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO installation (epoch) VALUES (left(replace(gen_random_uuid()::text, '-', ''), 16));

-- --- Accounts. The books and the events point to accounts, never to the row with the name and the e-mail address:
-- deleting a user severs the identity, and the books stay.

CREATE TABLE accounts (
  id          uuid PRIMARY KEY,
  namespace   text NOT NULL DEFAULT 'musclemap',
  kind        text NOT NULL CHECK (kind IN ('user', 'system')),
  slug        text UNIQUE,  -- of system accounts only
  created_at  timestamptz NOT NULL,
  CHECK ((kind = 'system') = (slug IS NOT NULL))
);
INSERT INTO accounts (id, kind, slug, created_at) VALUES
  ('00000000-0000-7000-8000-000000000001', 'system', 'welcome', now()),   -- gives the credits of a new account
  ('00000000-0000-7000-8000-000000000002', 'system', 'workouts', now());  -- takes what workouts cost

CREATE TABLE users (
  id                uuid PRIMARY KEY,
  account_id        uuid NOT NULL UNIQUE REFERENCES accounts (id),
  email             text NOT NULL CHECK (length(email) <= 254),  -- as it was typed; compared by lower()
  name              text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  password_hash     text NOT NULL,
  roles             text[] NOT NULL DEFAULT '{user}',
  tier              text NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'premium')),
  audience          text NOT NULL DEFAULT 'everyone' CHECK (audience IN ('everyone', 'followers', 'nobody')),
  time_zone         text NOT NULL DEFAULT 'UTC',  -- IANA
  xp                integer NOT NULL DEFAULT 0 CHECK (xp >= 0),
  level             integer NOT NULL DEFAULT 1 CHECK (level >= 1),
  trial_ends_at     timestamptz,
  subscribed_until  timestamptz,  -- end of the paid period, kept by the payment provider's webhooks
  created_at        timestamptz NOT NULL,
  updated_at        timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX users_email ON users (lower(email));

-- A session is a family of refresh tokens: its id is the access token's `sid`. Reusing a rotated token ends it.
CREATE TABLE sessions (
  id              uuid PRIMARY KEY,
  user_id         uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  generation      integer NOT NULL DEFAULT 1 CHECK (generation >= 1),  -- of the newest refresh token
  created_at      timestamptz NOT NULL,
  expires_at      timestamptz NOT NULL,
  revoked_at      timestamptz,
  revoked_reason  text CHECK (revoked_reason IN ('logout', 'reuse', 'password', 'deleted', 'admin')),
  CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);
CREATE INDEX sessions_user ON sessions (user_id, created_at DESC);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
  token_hash   bytea PRIMARY KEY CHECK (length(token_hash) = 32),  -- SHA-256; the token itself is nowhere
  session_id   uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  generation   integer NOT NULL CHECK (generation >= 1),  -- 1, 2, 3 … within the session
  created_at   timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  rotated_at   timestamptz  -- since then it counts only for the overlap of a lost answer
);
CREATE UNIQUE INDEX refresh_tokens_generation ON refresh_tokens (session_id, generation);

-- --- Reference data: written by `make migrate` alone.

CREATE TABLE muscles (
  id           uuid PRIMARY KEY,
  slug         text NOT NULL UNIQUE,
  name         text NOT NULL,
  bias_weight  double precision NOT NULL CHECK (bias_weight > 0)
);
CREATE TABLE equipment (
  id    uuid PRIMARY KEY,
  slug  text NOT NULL UNIQUE,
  name  text NOT NULL
);
CREATE TABLE exercises (
  id            uuid PRIMARY KEY,
  slug          text NOT NULL UNIQUE,
  name          text NOT NULL,
  equipment_id  uuid REFERENCES equipment (id)
);
CREATE TABLE exercise_muscles (
  exercise_id  uuid NOT NULL REFERENCES exercises (id),
  muscle_id    uuid NOT NULL REFERENCES muscles (id),
  activation   double precision NOT NULL CHECK (activation > 0 AND activation <= 100),  -- percent
  PRIMARY KEY (exercise_id, muscle_id)
);
CREATE INDEX exercise_muscles_muscle ON exercise_muscles (muscle_id);

-- --- Credits: whole numbers. A system account has no balance row: one shared row would make every charge wait.

CREATE TABLE credit_balances (
  account_id  uuid PRIMARY KEY REFERENCES accounts (id),
  credits     bigint NOT NULL CHECK (credits BETWEEN 0 AND 2147483647),  -- what GraphQL's Int can say
  version     bigint NOT NULL CHECK (version >= 0),  -- of the newest entry: 0 = none yet
  updated_at  timestamptz NOT NULL
) WITH (fillfactor = 50);  -- updates stay on their page and touch no index: no false conflict between users

CREATE TABLE ledger_transactions (
  id          uuid PRIMARY KEY,
  namespace   text NOT NULL DEFAULT 'musclemap',
  account_id  uuid NOT NULL,  -- whom it is about
  reason      text NOT NULL,
  workout_id  uuid,
  created_at  timestamptz NOT NULL,
  CHECK ((reason = 'workout') = (workout_id IS NOT NULL))
);
CREATE UNIQUE INDEX ledger_transactions_workout ON ledger_transactions (workout_id) WHERE workout_id IS NOT NULL;
CREATE UNIQUE INDEX ledger_transactions_welcome ON ledger_transactions (account_id) WHERE reason = 'welcome';

CREATE TABLE ledger_entries (
  transaction_id  uuid NOT NULL,
  account_id      uuid NOT NULL,
  amount          bigint NOT NULL CHECK (amount <> 0),
  balance_after   bigint CHECK (balance_after >= 0),  -- with version, of user accounts only
  version         bigint CHECK (version >= 1),        -- 1, 2, 3 … within the account
  created_at      timestamptz NOT NULL,
  PRIMARY KEY (transaction_id, account_id),
  CHECK ((balance_after IS NULL) = (version IS NULL))
);
CREATE UNIQUE INDEX ledger_entries_account ON ledger_entries (account_id, version) WHERE version IS NOT NULL;

-- --- Workouts. Their parts and the ledger carry no foreign keys: under SERIALIZABLE each such check reads the index
-- page on which every other workout of the moment is being inserted, and 20 writers would fail each other.
-- The role that writes cannot delete, one function writes all parts at once, and the auditor looks for orphans.

CREATE TABLE workouts (
  id               uuid PRIMARY KEY,
  user_id          uuid NOT NULL,
  account_id       uuid NOT NULL,
  idempotency_key  text NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 200),
  input_hash       bytea NOT NULL CHECK (length(input_hash) = 32),
  performed_at     timestamptz NOT NULL,
  local_date       date NOT NULL,  -- in time_zone: what streaks count
  time_zone        text NOT NULL,
  note             text,
  visibility       text[] NOT NULL CHECK (visibility <@ '{PUBLIC_ANON,PUBLIC_PROFILE,PRIVATE}' AND visibility <> '{}'),
  total_tu         double precision NOT NULL CHECK (total_tu >= 0),
  charged          bigint NOT NULL CHECK (charged >= 0),
  created_at       timestamptz NOT NULL
);
CREATE UNIQUE INDEX workouts_key ON workouts (user_id, idempotency_key);
CREATE INDEX workouts_user ON workouts (user_id, performed_at DESC, id DESC);

CREATE TABLE workout_exercises (
  workout_id   uuid NOT NULL,
  position     smallint NOT NULL CHECK (position >= 1),
  user_id      uuid NOT NULL,
  exercise_id  uuid NOT NULL,
  sets         jsonb NOT NULL,  -- [{"reps": 10, "weight_kg": 60.0 or null}, …]
  PRIMARY KEY (workout_id, position)
);
CREATE TABLE workout_muscles (
  workout_id      uuid NOT NULL,
  muscle_id       uuid NOT NULL,
  user_id         uuid NOT NULL,
  training_units  double precision NOT NULL CHECK (training_units >= 0),
  PRIMARY KEY (workout_id, muscle_id)
);

-- --- Events and how they leave.

CREATE TABLE activity_events (
  id          uuid NOT NULL,
  created_at  timestamptz NOT NULL,
  namespace   text NOT NULL DEFAULT 'musclemap',
  account_id  uuid NOT NULL,
  type        text NOT NULL,
  v           smallint NOT NULL,
  visibility  text[] NOT NULL,
  data        jsonb NOT NULL,
  PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX activity_events_account ON activity_events (account_id, created_at DESC);
-- A month that nobody prepared still takes its events.
CREATE TABLE activity_events_other PARTITION OF activity_events DEFAULT;

-- One row per committed event that the relay has not numbered yet.
CREATE TABLE outbox (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id   uuid NOT NULL,
  event_at   timestamptz NOT NULL,
  namespace  text NOT NULL DEFAULT 'musclemap',
  event      json NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE feed_channels (
  namespace          text NOT NULL,
  channel            text NOT NULL,
  last_offset        bigint NOT NULL DEFAULT 0 CHECK (last_offset >= 0),
  published_through  bigint NOT NULL DEFAULT 0 CHECK (published_through BETWEEN 0 AND last_offset),
  PRIMARY KEY (namespace, channel)
) WITH (fillfactor = 50);

CREATE TABLE feed_positions (
  namespace  text NOT NULL,
  channel    text NOT NULL,
  "offset"   bigint NOT NULL CHECK ("offset" >= 1),
  event_id   uuid NOT NULL,
  event_at   timestamptz NOT NULL,
  body       json NOT NULL,  -- what clients of this channel hear, byte for byte
  PRIMARY KEY (namespace, channel, "offset")
);

CREATE TABLE leases (
  name    text PRIMARY KEY,
  holder  text NOT NULL,
  term    bigint NOT NULL,  -- the fence: rises with each new holder
  until   timestamptz NOT NULL
);
