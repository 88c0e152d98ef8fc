-- What the features of the community share: who asks, whom they follow, what they have reached.

-- Who asks, for row level security (policies.sql): set in the transaction, by its opener; null = nobody.
CREATE FUNCTION viewer() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT nullif(current_setting('musclemap.user_id', true), '')::uuid
$$;

ALTER TABLE users ADD COLUMN archetype_id uuid;

-- --- Who follows whom. A row of two people is written by the functions of 0015 alone.

CREATE TABLE follows (
  follower_id  uuid NOT NULL,
  followee_id  uuid NOT NULL,
  state        text NOT NULL CHECK (state IN ('requested', 'following')),
  since        timestamptz NOT NULL,  -- of this state
  PRIMARY KEY (follower_id, followee_id),
  CHECK (follower_id <> followee_id)
);
CREATE INDEX follows_followers ON follows (followee_id, state, since DESC, follower_id DESC);
CREATE INDEX follows_following ON follows (follower_id, state, since DESC, followee_id DESC);

CREATE TABLE blocks (
  blocker_id  uuid NOT NULL,
  blocked_id  uuid NOT NULL,
  since       timestamptz NOT NULL,
  PRIMARY KEY (blocker_id, blocked_id),
  CHECK (blocker_id <> blocked_id)
);
CREATE INDEX blocks_blocked ON blocks (blocked_id, blocker_id);

-- Counted where they change, so that a profile reads no list. No row = none.
CREATE TABLE follow_counts (
  user_id    uuid PRIMARY KEY,
  followers  integer NOT NULL DEFAULT 0 CHECK (followers >= 0),
  following  integer NOT NULL DEFAULT 0 CHECK (following >= 0)
) WITH (fillfactor = 50);

-- --- What a user has reached, in the transaction of the workout. No row = nothing yet.

CREATE TABLE progress (
  user_id         uuid PRIMARY KEY,
  xp              bigint NOT NULL DEFAULT 0 CHECK (xp >= 0),
  level           integer NOT NULL DEFAULT 1 CHECK (level >= 1),
  workouts        integer NOT NULL DEFAULT 0 CHECK (workouts >= 0),
  volume          double precision NOT NULL DEFAULT 0 CHECK (volume >= 0),  -- training units
  streak_longest  integer NOT NULL DEFAULT 0 CHECK (streak_longest >= 0),   -- days
  streak_days     integer NOT NULL DEFAULT 0 CHECK (streak_days >= 0),      -- of the newest run of dates, ...
  streak_last     date,                                                     -- ... and the last date of it
  updated_at      timestamptz NOT NULL
) WITH (fillfactor = 50);

-- A user's local dates with a workout: what days, weeks and months add up to.
CREATE TABLE training_days (
  user_id     uuid NOT NULL,
  local_date  date NOT NULL,
  workouts    integer NOT NULL CHECK (workouts >= 0),  -- 0 = a date that a change of the time zone cut short
  xp          integer NOT NULL CHECK (xp >= 0),        -- of workouts, at most 600
  volume      double precision NOT NULL CHECK (volume >= 0),
  PRIMARY KEY (user_id, local_date)
) WITH (fillfactor = 80);
CREATE INDEX training_days_date ON training_days (local_date, user_id);

-- The zone in which a user's dates fall, by when it was set; before the first row, users.time_zone of then.
CREATE TABLE user_time_zones (
  user_id    uuid NOT NULL,
  since      timestamptz NOT NULL,
  time_zone  text NOT NULL,
  PRIMARY KEY (user_id, since)
);
