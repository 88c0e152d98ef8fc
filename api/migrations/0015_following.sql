-- Who follows whom: what each may see of the other, and the functions that write what belongs to two people.
--
-- Each of these runs as the owner and decides by itself. Who asks is p_viewer, which must be the transaction's. `seen` is the one place where it is said
-- what a relation and an audience allow; api/community/rules.py says the same, and a test holds the two together.

ALTER TABLE follow_counts
  ADD COLUMN requested  integer NOT NULL DEFAULT 0 CHECK (requested >= 0),  -- asked for, not answered yet
  ADD COLUMN blocked    integer NOT NULL DEFAULT 0 CHECK (blocked >= 0);    -- whom the user blocked

ALTER TABLE users ADD COLUMN audience_at timestamptz;  -- when the audience was changed last; null = never
CREATE INDEX users_audience_at ON users (audience_at) WHERE audience_at IS NOT NULL;

-- Up to when channel tokens for `profile:{owner}` are void. Kept until no such token can be left.
CREATE TABLE ended_reads (
  owner_id     uuid NOT NULL,
  reader_id    uuid NOT NULL,         -- the owner's own id stands for everybody else
  void_before  bigint NOT NULL,       -- unix seconds: tokens issued then or earlier open nothing
  ended_at     timestamptz NOT NULL,
  PRIMARY KEY (owner_id, reader_id)
);
CREATE INDEX ended_reads_newest ON ended_reads (owner_id, void_before DESC);
CREATE INDEX ended_reads_at ON ended_reads (ended_at);

-- When somebody was last told of somebody's wish to follow: once a day each, whatever the other does.
CREATE TABLE follow_notices (
  follower_id  uuid NOT NULL,
  owner_id     uuid NOT NULL,
  type         text NOT NULL CHECK (type IN ('followed', 'follow_requested')),
  told_at      timestamptz NOT NULL,
  PRIMARY KEY (follower_id, owner_id, type)
);
CREATE INDEX follow_notices_owner ON follow_notices (owner_id);

-- --- What may be seen

-- What the viewer is to the owner: anonymous, self, blocked (either way), following, requested, or stranger.
CREATE FUNCTION relation_of(p_viewer uuid, p_owner uuid, p_blocked boolean, p_state text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_viewer IS NULL THEN 'anonymous' WHEN p_viewer = p_owner THEN 'self' WHEN p_blocked THEN 'blocked'
              ELSE coalesce(p_state, 'stranger') END
$$;

-- header: that there is such a person, and what stands on top of a profile. details: presence, and who follows whom.
-- feed: events and the live channel. listed: found in searches and named on boards.
CREATE FUNCTION seen(
  p_relation text, p_audience text, OUT header boolean, OUT details boolean, OUT feed boolean, OUT listed boolean
) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT p_relation = 'self' OR p_relation <> 'blocked'
           AND (p_audience = 'everyone' OR p_audience = 'followers' AND p_relation <> 'anonymous'),
         p_relation = 'self' OR p_relation NOT IN ('blocked', 'anonymous')
           AND (p_audience = 'everyone' OR p_audience = 'followers' AND p_relation = 'following'),
         p_relation = 'self' OR p_relation = 'following' AND p_audience <> 'nobody',
         p_relation <> 'blocked' AND p_audience = 'everyone'
$$;

CREATE FUNCTION relation(p_viewer uuid, p_owner uuid) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  RETURN relation_of(
    p_viewer, p_owner,
    EXISTS (SELECT FROM blocks WHERE blocker_id = p_viewer AND blocked_id = p_owner)
    OR EXISTS (SELECT FROM blocks WHERE blocker_id = p_owner AND blocked_id = p_viewer),
    (SELECT state FROM follows WHERE follower_id = p_viewer AND followee_id = p_owner));
END $$;

-- Whether the viewer may read a channel of our own: a person's are their own, a profile's also those of whom the rule
-- lets read its feed; the others are everybody's. Policies and pages ask here. It names the schema of each table, as
-- post_credits does.
CREATE FUNCTION may_read_channel(p_channel text) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
  IF p_channel IN ('user:' || public.viewer(), 'profile:' || public.viewer()) THEN
    RETURN true;
  ELSIF p_channel ~ '^profile:[0-9a-f-]{36}$' THEN
    RETURN coalesce((
      SELECT s.feed
        FROM public.users AS u CROSS JOIN LATERAL public.seen(public.relation(public.viewer(), u.id), u.audience) AS s
       WHERE u.id = substr(p_channel, 9)::uuid), false);
  END IF;
  RETURN p_channel NOT LIKE 'user:%' AND p_channel NOT LIKE 'profile:%';
END $$;
REVOKE ALL ON FUNCTION may_read_channel(text) FROM PUBLIC;

-- Refuses to answer for anybody but who asks.
CREATE FUNCTION ask_as(p_viewer uuid) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF viewer() IS DISTINCT FROM p_viewer THEN
    RAISE EXCEPTION 'this transaction is another user''s' USING ERRCODE = 'invalid_parameter_value';
  END IF;
END $$;

-- The profiles of p_ids whose header the viewer may see, at p_now. The current streak is the newest run of dates, where
-- it reaches today or yesterday.
CREATE FUNCTION profiles_of(p_viewer uuid, p_ids uuid[], p_now timestamptz) RETURNS TABLE (
  id uuid, name text, xp bigint, level integer, streak integer, followers integer, following integer, relation text,
  follows_me boolean, details boolean, feed boolean, listed boolean
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_viewer uuid := (SELECT v.id FROM users AS v WHERE v.id = p_viewer);  -- whoever has no account is nobody
BEGIN
  PERFORM ask_as(p_viewer);
  RETURN QUERY
  SELECT u.id, u.name, coalesce(p.xp, 0), coalesce(p.level, 1),
         CASE WHEN p.streak_last >= (p_now AT TIME ZONE u.time_zone)::date - 1 THEN p.streak_days ELSE 0 END,
         coalesce(c.followers, 0), coalesce(c.following, 0), r.relation,
         EXISTS (SELECT FROM follows AS m
                  WHERE m.follower_id = u.id AND m.followee_id = p_viewer AND m.state = 'following'),
         s.details, s.feed, s.listed
    FROM unnest(p_ids) AS w (id)
    JOIN users AS u ON u.id = w.id
    LEFT JOIN progress AS p ON p.user_id = u.id
    LEFT JOIN follow_counts AS c ON c.user_id = u.id
    LEFT JOIN follows AS f ON f.follower_id = p_viewer AND f.followee_id = u.id
   CROSS JOIN LATERAL (
     SELECT relation_of(v_viewer, u.id,
                        EXISTS (SELECT FROM blocks AS b WHERE b.blocker_id = p_viewer AND b.blocked_id = u.id)
                        OR EXISTS (SELECT FROM blocks AS b WHERE b.blocker_id = u.id AND b.blocked_id = p_viewer),
                        f.state) AS relation
   ) AS r
   CROSS JOIN LATERAL seen(r.relation, u.audience) AS s
   WHERE s.header;
END $$;

-- --- What is written

-- Changes what is counted of a user.
CREATE FUNCTION count_people(p_user uuid, p_followers integer, p_following integer, p_requested integer, p_blocked integer)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE follow_counts AS c
     SET followers = c.followers + p_followers, following = c.following + p_following,
         requested = c.requested + p_requested, blocked = c.blocked + p_blocked
   WHERE c.user_id = p_user;
  IF NOT FOUND THEN
    INSERT INTO follow_counts (user_id, followers, following, requested, blocked)
    VALUES (p_user, p_followers, p_following, p_requested, p_blocked);
  END IF;
END $$;

-- What this user has counted now; zeros where nothing was.
CREATE FUNCTION counts_of(p_user uuid) RETURNS follow_counts LANGUAGE plpgsql AS $$
DECLARE
  v_counts follow_counts;
BEGIN
  SELECT * INTO v_counts FROM follow_counts WHERE user_id = p_user;
  RETURN CASE WHEN FOUND THEN v_counts ELSE (p_user, 0, 0, 0, 0)::follow_counts END;
END $$;

-- Ends what p_reader (the owner: everybody else) may read of p_owner; the second up to which channel tokens are void.
-- Two minutes ahead: one that was signed beside this transaction, by another host's clock, is void too. Whoever may read
-- again gets tokens of the seconds after it (channels_open_to), which is why it always rises.
CREATE FUNCTION end_reading(p_owner uuid, p_reader uuid, p_now timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_before bigint;
BEGIN
  IF p_reader = p_owner THEN  -- also above what single readers were given again
    SELECT e.void_before INTO v_before FROM ended_reads AS e
     WHERE e.owner_id = p_owner ORDER BY e.void_before DESC LIMIT 1;
  ELSE
    SELECT max(e.void_before) INTO v_before FROM ended_reads AS e
     WHERE e.owner_id = p_owner AND e.reader_id IN (p_reader, p_owner);
  END IF;
  v_before := greatest(ceil(extract(epoch FROM p_now))::bigint + 120, v_before + 1);
  INSERT INTO ended_reads AS e (owner_id, reader_id, void_before, ended_at)
  VALUES (p_owner, p_reader, v_before, p_now)
  ON CONFLICT (owner_id, reader_id) DO UPDATE
    SET void_before = excluded.void_before, ended_at = greatest(e.ended_at, excluded.ended_at);
  RETURN v_before;
END $$;

-- Takes the row between two away, whatever its state; the second up to which tokens are void, where it was one of a
-- follower.
CREATE FUNCTION part_people(p_follower uuid, p_owner uuid, p_now timestamptz, OUT was text, OUT void_before bigint)
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM follows WHERE follower_id = p_follower AND followee_id = p_owner RETURNING state INTO was;
  IF was = 'following' THEN
    PERFORM count_people(p_follower, 0, -1, 0, 0), count_people(p_owner, -1, 0, 0, 0);
    void_before := end_reading(p_owner, p_follower, p_now);
  ELSIF was = 'requested' THEN
    PERFORM count_people(p_follower, 0, 0, -1, 0);
  END IF;
END $$;

-- Tells the owner, on their dashboard alone, who follows or asks to; once a day each. Nobody is named whom the owner may
-- not see.
CREATE FUNCTION tell_of_follower(p_follower uuid, p_owner uuid, p_type text, p_now timestamptz, p_event uuid)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_follower record;
  v_owner record;
  v_data json;
BEGIN
  SELECT u.name, u.audience INTO v_follower FROM users AS u WHERE u.id = p_follower;
  SELECT u.name, u.account_id INTO v_owner FROM users AS u WHERE u.id = p_owner;
  IF NOT (SELECT s.header FROM seen(relation(p_owner, p_follower), v_follower.audience) AS s) THEN
    RETURN;
  END IF;
  INSERT INTO follow_notices AS n (follower_id, owner_id, type, told_at)
  VALUES (p_follower, p_owner, p_type, p_now)
  ON CONFLICT (follower_id, owner_id, type) DO UPDATE SET told_at = excluded.told_at
   WHERE n.told_at <= excluded.told_at - interval '1 day';
  IF NOT FOUND THEN
    RETURN;
  END IF;
  v_data := json_build_object('v', 1, 'user', json_build_object('id', p_follower, 'name', v_follower.name));
  IF p_type = 'followed' THEN
    PERFORM append_event(p_event, p_now, 'musclemap', 'followed', 1, v_owner.account_id, p_owner, v_owner.name,
                         '{PRIVATE}', v_data);
  ELSE
    PERFORM append_event(p_event, p_now, 'musclemap', 'follow_requested', 1, v_owner.account_id, p_owner, v_owner.name,
                         '{PRIVATE}', v_data);
  END IF;
END $$;

-- `outcome` of those below: done; same (it was so already); hidden (there is nobody whom the viewer may see); full (a
-- bound is reached); self; gone (the viewer has no account). SERIALIZABLE, and without sequential scans, which on small
-- tables would lock the whole table.
CREATE FUNCTION people_change(p_viewer uuid, p_other uuid) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'serializable' THEN
    RAISE EXCEPTION 'this needs SERIALIZABLE: run `make migrate`, which sets it for the role'
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  PERFORM become(p_viewer), set_config('enable_seqscan', 'off', true);
  IF NOT EXISTS (SELECT FROM users WHERE id = p_viewer) THEN
    RETURN 'gone';
  END IF;
  RETURN CASE WHEN p_viewer = p_other THEN 'self' ELSE relation(p_viewer, p_other) END;
END $$;

CREATE FUNCTION follow_user(
  p_viewer uuid, p_owner uuid, p_following_max integer, p_requests_max integer, p_now timestamptz, p_event uuid,
  OUT outcome text, OUT void_before bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_relation text := people_change(p_viewer, p_owner);
  v_audience text;
  v_counts follow_counts;
  v_state text;
BEGIN
  outcome := v_relation;
  IF v_relation IN ('gone', 'self') THEN
    RETURN;
  END IF;
  SELECT u.audience INTO v_audience FROM users AS u WHERE u.id = p_owner;
  v_state := CASE v_audience WHEN 'everyone' THEN 'following' ELSE 'requested' END;
  outcome := 'hidden';
  IF v_audience IS NULL OR NOT (SELECT s.header FROM seen(v_relation, v_audience) AS s) THEN
    RETURN;
  END IF;
  outcome := 'same';
  IF v_relation IN ('following', v_state) THEN
    RETURN;
  END IF;
  v_counts := counts_of(p_viewer);
  outcome := 'full';
  IF v_relation = 'stranger' AND (v_counts.following + v_counts.requested >= p_following_max
                                  OR v_state = 'requested' AND v_counts.requested >= p_requests_max) THEN
    RETURN;
  END IF;
  outcome := 'done';
  INSERT INTO follows AS f (follower_id, followee_id, state, since) VALUES (p_viewer, p_owner, v_state, p_now)
  ON CONFLICT (follower_id, followee_id) DO UPDATE SET state = excluded.state, since = excluded.since;
  IF v_state = 'requested' THEN
    PERFORM count_people(p_viewer, 0, 0, 1, 0);
    PERFORM tell_of_follower(p_viewer, p_owner, 'follow_requested', p_now, p_event);
  ELSE
    PERFORM count_people(p_viewer, 0, 1, CASE v_relation WHEN 'requested' THEN -1 ELSE 0 END, 0),
            count_people(p_owner, 1, 0, 0, 0);
    PERFORM tell_of_follower(p_viewer, p_owner, 'followed', p_now, p_event);
  END IF;
END $$;

CREATE FUNCTION unfollow_user(p_viewer uuid, p_owner uuid, p_now timestamptz, OUT outcome text, OUT void_before bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  outcome := people_change(p_viewer, p_owner);
  IF outcome NOT IN ('gone', 'self') THEN
    SELECT CASE WHEN p.was IS NULL THEN 'same' ELSE 'done' END, p.void_before INTO outcome, void_before
      FROM part_people(p_viewer, p_owner, p_now) AS p;
  END IF;
END $$;

-- The viewer's answer to somebody's request.
CREATE FUNCTION answer_follow(
  p_viewer uuid, p_follower uuid, p_accept boolean, p_now timestamptz, OUT outcome text, OUT void_before bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_state text;
BEGIN
  outcome := people_change(p_viewer, p_follower);
  IF outcome IN ('gone', 'self') THEN
    RETURN;
  END IF;
  SELECT f.state INTO v_state FROM follows AS f WHERE f.follower_id = p_follower AND f.followee_id = p_viewer;
  outcome := CASE WHEN v_state = 'requested' THEN 'done' WHEN p_accept AND v_state IS NULL THEN 'hidden' ELSE 'same' END;
  IF outcome = 'done' AND NOT EXISTS (SELECT FROM profiles_of(p_viewer, ARRAY[p_follower], p_now)) THEN
    outcome := 'hidden';
  ELSIF outcome = 'done' AND p_accept THEN
    UPDATE follows SET state = 'following', since = p_now WHERE follower_id = p_follower AND followee_id = p_viewer;
    PERFORM count_people(p_follower, 0, 1, -1, 0), count_people(p_viewer, 1, 0, 0, 0);
  ELSIF outcome = 'done' THEN
    PERFORM part_people(p_follower, p_viewer, p_now);
  END IF;
END $$;

-- Neither is anything to the other from now on. `void_before`: of what the viewer's follower might read, and
-- `void_other`: of what the viewer might. Whoever is hidden can be blocked where there is a row between the two.
CREATE FUNCTION block_user(
  p_viewer uuid, p_other uuid, p_blocks_max integer, p_now timestamptz,
  OUT outcome text, OUT void_before bigint, OUT void_other bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  outcome := people_change(p_viewer, p_other);
  IF outcome IN ('gone', 'self') THEN
    RETURN;
  END IF;
  outcome := 'same';
  IF EXISTS (SELECT FROM blocks WHERE blocker_id = p_viewer AND blocked_id = p_other) THEN
    RETURN;
  END IF;
  outcome := 'hidden';
  IF NOT EXISTS (SELECT FROM profiles_of(p_viewer, ARRAY[p_other], p_now))
     AND NOT EXISTS (SELECT FROM follows WHERE follower_id = p_viewer AND followee_id = p_other)
     AND NOT EXISTS (SELECT FROM follows WHERE follower_id = p_other AND followee_id = p_viewer) THEN
    RETURN;
  END IF;
  outcome := 'full';
  IF (counts_of(p_viewer)).blocked >= p_blocks_max THEN
    RETURN;
  END IF;
  outcome := 'done';
  INSERT INTO blocks (blocker_id, blocked_id, since) VALUES (p_viewer, p_other, p_now);
  PERFORM count_people(p_viewer, 0, 0, 0, 1);
  SELECT p.void_before INTO void_before FROM part_people(p_other, p_viewer, p_now) AS p;
  SELECT p.void_before INTO void_other FROM part_people(p_viewer, p_other, p_now) AS p;
  PERFORM part_rivals(p_viewer, p_other);
END $$;

-- Gives nothing back but that the two may see each other.
CREATE FUNCTION unblock_user(p_viewer uuid, p_other uuid, p_now timestamptz, OUT outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  outcome := people_change(p_viewer, p_other);
  IF outcome IN ('gone', 'self') THEN
    RETURN;
  END IF;
  DELETE FROM blocks WHERE blocker_id = p_viewer AND blocked_id = p_other;
  IF FOUND THEN
    outcome := 'done';
    PERFORM count_people(p_viewer, 0, 0, 0, -1);
  ELSE
    outcome := CASE WHEN EXISTS (SELECT FROM profiles_of(p_viewer, ARRAY[p_other], p_now)) THEN 'same' ELSE 'hidden' END;
  END IF;
END $$;

-- `at`: when it became so. `void_before`: where nobody else may read any more.
CREATE FUNCTION set_audience(
  p_viewer uuid, p_audience text, p_now timestamptz, OUT outcome text, OUT at timestamptz, OUT void_before bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM people_change(p_viewer, NULL);
  UPDATE users AS u
     SET audience = p_audience, audience_at = greatest(p_now, u.audience_at + interval '1 microsecond'), updated_at = p_now
   WHERE u.id = p_viewer AND u.audience <> p_audience
  RETURNING u.audience_at INTO at;
  IF at IS NULL THEN
    outcome := CASE WHEN EXISTS (SELECT FROM users AS u WHERE u.id = p_viewer) THEN 'same' ELSE 'gone' END;
    RETURN;
  END IF;
  outcome := 'done';
  IF p_audience = 'nobody' THEN
    void_before := end_reading(p_viewer, p_viewer, p_now);
  END IF;
END $$;
