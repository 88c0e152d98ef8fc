-- Lists of people, the search for them, and the feeds of others: what is read, by the rule of 0015.

-- A name from each of its words on, of those whom everybody may find.
CREATE TABLE name_tails (
  user_id  uuid NOT NULL,
  tail     text COLLATE "C" NOT NULL,
  PRIMARY KEY (user_id, tail)
);
CREATE INDEX name_tails_tail ON name_tails (tail, user_id);

-- --- People

-- What those of p_ids whom p_viewer may see have chosen and earned: the archetype, and achievements with their times.
CREATE FUNCTION achieved_by(p_viewer uuid, p_ids uuid[], p_now timestamptz) RETURNS TABLE (
  id uuid, archetype_id uuid, achievements uuid[], earned timestamptz[]
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT p.id, u.archetype_id,
         ARRAY(SELECT e.achievement_id FROM earned_achievements AS e WHERE e.user_id = p.id ORDER BY e.achievement_id),
         ARRAY(SELECT e.earned_at FROM earned_achievements AS e WHERE e.user_id = p.id ORDER BY e.achievement_id)
    FROM profiles_of(p_viewer, p_ids, p_now) AS p JOIN users AS u ON u.id = p.id
$$;

-- One page of a list of people, the newest first: `followers`, `following` or `requests` of p_owner, behind (p_at, p_id).
-- No row: it may not be read; a row of nulls: it is empty. Whoever the viewer may not see is passed over, at most 50
-- pages of them in a row.
CREATE FUNCTION people_of(
  p_viewer uuid, p_owner uuid, p_list text, p_at timestamptz, p_id uuid, p_limit integer, p_now timestamptz
) RETURNS TABLE (
  since timestamptz, id uuid, name text, xp bigint, level integer, streak integer, followers integer, following integer,
  relation text, follows_me boolean, details boolean, feed boolean
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_at timestamptz := coalesce(p_at, 'infinity');
  v_id uuid := coalesce(p_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_ids uuid[];
  v_times timestamptz[];
  v_rows integer;
  v_found integer := 0;
BEGIN
  PERFORM ask_as(p_viewer);
  IF NOT coalesce((SELECT o.details FROM profiles_of(p_viewer, ARRAY[p_owner], p_now) AS o), false) THEN
    RETURN;
  END IF;
  FOR i IN 1 .. 50 LOOP
    IF p_list = 'following' THEN
      SELECT array_agg(w.other ORDER BY w.at DESC, w.other DESC), array_agg(w.at ORDER BY w.at DESC, w.other DESC)
        INTO v_ids, v_times
        FROM (SELECT f.followee_id AS other, f.since AS at FROM follows AS f
               WHERE f.follower_id = p_owner AND f.state = 'following' AND (f.since, f.followee_id) < (v_at, v_id)
               ORDER BY f.since DESC, f.followee_id DESC LIMIT p_limit) AS w;
    ELSE
      SELECT array_agg(w.other ORDER BY w.at DESC, w.other DESC), array_agg(w.at ORDER BY w.at DESC, w.other DESC)
        INTO v_ids, v_times
        FROM (SELECT f.follower_id AS other, f.since AS at FROM follows AS f
               WHERE f.followee_id = p_owner
                 AND f.state = CASE p_list WHEN 'followers' THEN 'following' ELSE 'requested' END
                 AND (f.since, f.follower_id) < (v_at, v_id)
               ORDER BY f.since DESC, f.follower_id DESC LIMIT p_limit) AS w;
    END IF;
    EXIT WHEN v_ids IS NULL;
    RETURN QUERY
    SELECT w.at, p.id, p.name, p.xp, p.level, p.streak, p.followers, p.following, p.relation, p.follows_me, p.details,
           p.feed
      FROM unnest(v_ids, v_times) AS w (other, at) JOIN profiles_of(p_viewer, v_ids, p_now) AS p ON p.id = w.other
     ORDER BY w.at DESC, w.other DESC LIMIT p_limit - v_found;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_found := v_found + v_rows;
    EXIT WHEN v_found = p_limit OR cardinality(v_ids) < p_limit;
    v_at := v_times[p_limit];
    v_id := v_ids[p_limit];
  END LOOP;
  IF v_found = 0 THEN
    RETURN QUERY SELECT (row(NULL::timestamptz, NULL::uuid, NULL::text, NULL::bigint, NULL::integer, NULL::integer,
                             NULL::integer, NULL::integer, NULL::text, NULL::boolean, NULL::boolean, NULL::boolean)).*;
  END IF;
END $$;

-- A name, or what is searched for, as it is compared: without the case, one form of each letter, blanks for punctuation.
CREATE FUNCTION searchable(p_text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT left(ltrim(regexp_replace(lower(normalize(p_text, NFKC)), '[][[:space:]!-/:-@^-`{-~\\]+', ' ', 'g')), 100)
$$;

CREATE FUNCTION tails_of(p_name text) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
  SELECT DISTINCT rtrim(array_to_string(w.words[n:], ' '))
    FROM (SELECT string_to_array(searchable(p_name), ' ') AS words) AS w, generate_subscripts(w.words, 1) AS n
   WHERE w.words[n] <> ''
$$;

-- Whoever writes a user's row keeps what is found of it.
CREATE FUNCTION keep_name_tails() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM name_tails WHERE user_id = OLD.id;
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.audience = 'everyone' THEN
    INSERT INTO name_tails (user_id, tail) SELECT NEW.id, t FROM tails_of(NEW.name) AS t;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER name_tails AFTER INSERT OR DELETE OR UPDATE OF name, audience ON users
  FOR EACH ROW EXECUTE FUNCTION keep_name_tails();
INSERT INTO name_tails (user_id, tail) SELECT u.id, t FROM users AS u, tails_of(u.name) AS t WHERE u.audience = 'everyone';

-- One page of those with a word that begins with p_text, by that word, behind (p_tail, p_id). Nobody twice: a name of two
-- such words stands at the first of them. Whoever the viewer may not see is passed over, at most 5,000 in a row.
CREATE FUNCTION people_named(
  p_viewer uuid, p_text text, p_tail text, p_id uuid, p_limit integer, p_now timestamptz
) RETURNS TABLE (
  tail text, id uuid, name text, xp bigint, level integer, streak integer, followers integer, following integer,
  relation text, follows_me boolean, details boolean, feed boolean
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_prefix text COLLATE "C" := searchable(p_text);
  v_ids uuid[];
  v_tails text[];
BEGIN
  PERFORM ask_as(p_viewer);
  IF v_prefix = '' THEN
    RETURN;
  END IF;
  SELECT array_agg(w.user_id), array_agg(w.tail) INTO v_ids, v_tails FROM (
    SELECT t.user_id, t.tail FROM (
      SELECT n.user_id, n.tail FROM name_tails AS n
       WHERE n.tail >= v_prefix AND n.tail < v_prefix || chr(1114111)
         AND (n.tail, n.user_id) > (coalesce(p_tail, ''), coalesce(p_id, '00000000-0000-0000-0000-000000000000'))
       ORDER BY n.tail, n.user_id LIMIT 5000
    ) AS t
     WHERE NOT EXISTS (SELECT FROM blocks AS b WHERE b.blocker_id = p_viewer AND b.blocked_id = t.user_id)
       AND NOT EXISTS (SELECT FROM blocks AS b WHERE b.blocker_id = t.user_id AND b.blocked_id = p_viewer)
       AND NOT EXISTS (SELECT FROM name_tails AS o
                        WHERE o.user_id = t.user_id AND o.tail >= v_prefix AND o.tail < t.tail)
     ORDER BY t.tail, t.user_id LIMIT p_limit) AS w;
  RETURN QUERY
  SELECT w.of, p.id, p.name, p.xp, p.level, p.streak, p.followers, p.following, p.relation, p.follows_me, p.details,
         p.feed
    FROM unnest(v_ids, v_tails) AS w (who, of) JOIN profiles_of(p_viewer, v_ids, p_now) AS p ON p.id = w.who
   WHERE p.listed ORDER BY w.of COLLATE "C", w.who;
END $$;

-- Of these owners those whose `profile:` channel the viewer may hear, each with the second up to which tokens are void.
CREATE FUNCTION channels_open_to(p_viewer uuid, p_owners uuid[])
RETURNS TABLE (owner_id uuid, void_before bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM ask_as(p_viewer);
  RETURN QUERY
  SELECT p.id, coalesce((SELECT max(e.void_before) FROM ended_reads AS e
                          WHERE e.owner_id = p.id AND e.reader_id IN (p_viewer, p.id)), 0)
    FROM profiles_of(p_viewer, p_owners, now()) AS p WHERE p.feed;
END $$;

-- --- What the gateways must hear of, for whoever carries it to them; the newest first.

CREATE FUNCTION reading_ended_since(p_since timestamptz, p_limit integer)
RETURNS TABLE (owner_id uuid, reader_id uuid, void_before bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT e.owner_id, e.reader_id, e.void_before FROM ended_reads AS e
   WHERE e.ended_at >= p_since ORDER BY e.ended_at DESC LIMIT p_limit
$$;

CREATE FUNCTION audiences_since(p_since timestamptz, p_limit integer)
RETURNS TABLE (user_id uuid, audience text, at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT u.id, u.audience, u.audience_at FROM users AS u
   WHERE u.audience_at >= p_since ORDER BY u.audience_at DESC LIMIT p_limit
$$;

-- --- Feeds of others

-- A page of the channel of p_owner, as of any channel (api/feed/queries.sql: page). No row: the viewer may not read it.
CREATE FUNCTION profile_feed(p_viewer uuid, p_owner uuid, p_before bigint, p_limit integer)
RETURNS TABLE (epoch text, head bigint, "offset" bigint, body json, derived boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM ask_as(p_viewer);
  IF NOT coalesce((SELECT o.feed FROM profiles_of(p_viewer, ARRAY[p_owner], now()) AS o), false) THEN
    RETURN;
  END IF;
  RETURN QUERY
  SELECT i.epoch, coalesce(c.last_offset, 0), f."offset", coalesce(f.body, o.body), f.source IS NOT NULL
    FROM installation AS i
    LEFT JOIN feed_channels AS c ON c.namespace = 'musclemap' AND c.channel = 'profile:' || p_owner
    LEFT JOIN feed_positions AS f ON f.namespace = c.namespace AND f.channel = c.channel
                                 AND f."offset" < least(p_before, c.last_offset + 1)
                                 AND f."offset" >= greatest(least(p_before, c.last_offset + 1) - p_limit,
                                                            c.dropped_through + 1)
    LEFT JOIN feed_positions AS o ON o.namespace = f.namespace AND o.channel = 'user:' || p_owner AND o."offset" = f.source
   ORDER BY f."offset" DESC NULLS LAST;
END $$;

-- The newest p_limit events of all whom the viewer follows and may read, below the event p_before. Ids of events rise
-- with time. One look into an index for each who is followed finds the newest of each; those whose newest are the newest
-- of all have, between them, whatever belongs on the page.
CREATE FUNCTION following_feed(p_viewer uuid, p_before uuid, p_limit integer)
RETURNS TABLE (event_id uuid, body json, derived boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
DECLARE
  v_before uuid := coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_from uuid := '00000000-0000-0000-0000-000000000000';
  v_owners uuid[] := '{}';
  v_head record;
BEGIN
  PERFORM ask_as(p_viewer);
  FOR v_head IN
    SELECT f.followee_id AS owner, h.id FROM follows AS f CROSS JOIN LATERAL (
      SELECT p.event_id AS id FROM feed_positions AS p
       WHERE p.namespace = 'musclemap' AND starts_with(p.channel, 'profile:')
         AND p.channel = 'profile:' || f.followee_id AND p.event_id < v_before
       ORDER BY p.event_id DESC LIMIT 1) AS h
     WHERE f.follower_id = p_viewer AND f.state = 'following' ORDER BY h.id DESC
  LOOP
    CONTINUE WHEN NOT EXISTS (SELECT FROM users AS u WHERE u.id = v_head.owner AND u.audience <> 'nobody');
    v_owners := v_owners || v_head.owner;
    IF cardinality(v_owners) = p_limit THEN
      v_from := v_head.id;
      EXIT;
    END IF;
  END LOOP;
  RETURN QUERY
  SELECT n.event_id, coalesce(n.body, o.body), n.source IS NOT NULL
    FROM (
      SELECT w.owner, p.event_id, p.body, p.source FROM unnest(v_owners) AS w (owner) CROSS JOIN LATERAL (
        SELECT q.event_id, q.body, q.source FROM feed_positions AS q
         WHERE q.namespace = 'musclemap' AND starts_with(q.channel, 'profile:') AND q.channel = 'profile:' || w.owner
           AND q.event_id < v_before AND q.event_id >= v_from
         ORDER BY q.event_id DESC LIMIT p_limit) AS p
       ORDER BY p.event_id DESC LIMIT p_limit
    ) AS n
    LEFT JOIN feed_positions AS o ON o.namespace = 'musclemap' AND o.channel = 'user:' || n.owner AND o."offset" = n.source
   ORDER BY n.event_id DESC;
END $$;
