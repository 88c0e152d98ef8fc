-- High fives: who sent one for which rendition of an event, how many each has, of whom its owner has heard.

-- Of the community's positions: the event that one tells of; null = numbered by the release before. The way from an
-- anonymous event to its owner: only functions that run as the owner of these tables, and the worker, may read it.
ALTER TABLE stream_positions ADD COLUMN source_event uuid;

-- In whose name events are recorded that nobody hears.
INSERT INTO accounts (id, kind, slug, created_at)
VALUES ('00000000-0000-7000-8000-000000000019', 'system', 'nobody', now());

CREATE TABLE high_fives (
  rendition_id  uuid NOT NULL,  -- the id under which the sender reads the event
  sender_id     uuid NOT NULL,
  notice_id     uuid NOT NULL,  -- of the event by which the owner hears of it, or nobody does
  share         smallint NOT NULL,  -- in which it is counted
  sent_at       timestamptz NOT NULL,
  PRIMARY KEY (rendition_id, sender_id)
);
CREATE INDEX high_fives_sender ON high_fives (sender_id, sent_at DESC);

-- Counted where they change, in shares: a thousand people who clap at once would fail each other on one row.
CREATE TABLE high_five_counts (
  rendition_id  uuid NOT NULL,
  share         smallint NOT NULL,
  high_fives    integer NOT NULL CHECK (high_fives >= 0),
  numbered_at   timestamptz,  -- of the community's, which are kept for a term; null = a person's
  PRIMARY KEY (rendition_id, share)
) WITH (fillfactor = 50);
CREATE INDEX high_five_counts_numbered ON high_five_counts (numbered_at) WHERE numbered_at IS NOT NULL;

CREATE FUNCTION uncount_high_fives() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE high_five_counts AS c SET high_fives = c.high_fives - g.count
    FROM (SELECT rendition_id, share, count(*) AS count FROM gone GROUP BY rendition_id, share) AS g
   WHERE c.rendition_id = g.rendition_id AND c.share = g.share;
  RETURN NULL;
END $$;
CREATE TRIGGER uncounted AFTER DELETE ON high_fives REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION uncount_high_fives();

-- Of an event and a sender, whichever rendition it was: whether the owner has heard.
CREATE TABLE high_five_notices (
  event_id   uuid NOT NULL,
  sender_id  uuid NOT NULL,
  told       boolean NOT NULL,
  PRIMARY KEY (event_id, sender_id)
);
CREATE INDEX high_five_notices_sender ON high_five_notices (sender_id);

-- What goes from a person's feed takes its high fives along.
CREATE FUNCTION forget_high_fives() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off AS $$
BEGIN
  DELETE FROM high_fives WHERE rendition_id = ANY (ARRAY(SELECT event_id FROM gone));
  DELETE FROM high_five_counts WHERE rendition_id = ANY (ARRAY(SELECT event_id FROM gone));
  DELETE FROM high_five_notices WHERE event_id = ANY (ARRAY(SELECT event_id FROM gone));
  RETURN NULL;
END $$;
CREATE TRIGGER forgotten AFTER DELETE ON feed_positions REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION forget_high_fives();

-- How many somebody sent in an hour. All that one person sends meets on this row, whatever it is for.
CREATE TABLE high_five_senders (
  user_id  uuid PRIMARY KEY,
  since    timestamptz NOT NULL,
  sent     integer NOT NULL
) WITH (fillfactor = 50);

-- What p_event is to p_sender: `readable` where p_sender reads an event under this id (the community's, or that of somebody
-- whom they follow, or their own), whose it is, and whether that person wants to hear of p_sender. Whatever it is, the
-- same is looked up: that it takes longer says nothing.
CREATE FUNCTION high_five_target(
  p_sender uuid, p_event uuid,
  OUT readable boolean, OUT event_id uuid, OUT type text, OUT owner_id uuid, OUT account_id uuid, OUT name text,
  OUT hears boolean, OUT numbered_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off
SET plan_cache_mode TO force_generic_plan AS $$
#variable_conflict use_column
BEGIN
  WITH anonymous AS MATERIALIZED (
    SELECT s.source_event, s.numbered_at, s.body ->> 'type' AS type
      FROM stream_positions AS s
     WHERE s.event_id = p_event AND s.namespace = 'musclemap' AND s.channel = 'community'
    UNION ALL  -- numbered before streams had months
    SELECT NULL, f.event_at, f.body ->> 'type'
      FROM feed_positions AS f
     WHERE f.event_id = p_event AND f.source IS NULL AND f.namespace = 'musclemap' AND f.channel = 'community'
    LIMIT 1
  ), told AS MATERIALIZED (
    SELECT f.channel, substr(f.channel, 6) AS person, f.body ->> 'type' AS type
      FROM feed_positions AS f
     WHERE f.event_id = coalesce((SELECT source_event FROM anonymous), p_event) AND f.source IS NULL
       AND f.namespace = 'musclemap' AND f.channel LIKE 'user:%'
     LIMIT 1
  ), whose AS MATERIALIZED (  -- whom: the owner, or whoever is nobody, who is looked for all the same
    SELECT a.type IS NOT NULL AS anonymous, coalesce(a.source_event, p_event) AS event_id,
           coalesce(t.type, a.type) AS type, t.person::uuid AS owner_id, coalesce(t.person::uuid, p_event) AS whom,
           a.numbered_at
      FROM (SELECT) AS one LEFT JOIN anonymous AS a ON true LEFT JOIN told AS t ON true
  ), known AS MATERIALIZED (
    SELECT w.*, u.account_id, u.name, u.audience,
           (SELECT count(*) FROM blocks WHERE (blocker_id, blocked_id) = (w.whom, p_sender))
             + (SELECT count(*) FROM blocks WHERE (blocker_id, blocked_id) = (p_sender, w.whom)) > 0 AS blocked,
           EXISTS (SELECT FROM follows
                    WHERE (follower_id, followee_id, state) = (p_sender, w.whom, 'following')) AS follows,
           EXISTS (SELECT FROM feed_positions AS f
                    WHERE f.channel = 'profile:' || w.whom AND f.event_id = w.event_id AND f.namespace = 'musclemap'
                      AND starts_with(f.channel, 'profile:')) AS on_profile
      FROM whose AS w LEFT JOIN users AS u ON u.id = w.whom
  )
  SELECT k.anonymous OR k.owner_id = p_sender
           OR (k.on_profile AND k.follows AND NOT k.blocked AND k.audience <> 'nobody'),
         k.event_id, k.type, k.owner_id, k.account_id, k.name, k.account_id IS NOT NULL AND NOT k.blocked, k.numbered_at
    INTO readable, event_id, type, owner_id, account_id, name, hears, numbered_at
    FROM known AS k;
END $$;

-- Sends a high five of p_sender for the event that they read under the id p_event, once. Returns what happened:
--   sent           it counts, in the share p_share
--   existing       it was sent before
--   own            the event is the sender's
--   unknown_event  the sender reads no event under this id
--   limited        p_most were sent in an hour; the next one may be in retry_s seconds
--   unknown_user   there is no such sender
-- p_notice is a fresh id: a repeat after a lost connection passes the same one and hears `sent` again.
--
-- Each one that is sent records an event, whoever is to hear of it: the owner, once for a sender and event, or nobody,
-- where the owner of an anonymous one has blocked the sender or is gone. The row of the sender is locked before anything
-- that two renditions share. So neither what is written nor what waits tells one owner from another. Under SERIALIZABLE,
-- and nothing is read that other senders write: nobody fails anybody else.
CREATE FUNCTION send_high_five(
  p_sender uuid, p_event uuid, p_notice uuid, p_share integer, p_most integer, p_now timestamptz,
  OUT outcome text, OUT retry_s integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off
SET plan_cache_mode TO force_generic_plan AS $$
DECLARE
  v_sender text;
  v_target record;
  v_window record;
  v_notice uuid;
  v_new boolean := false;
  v_tell boolean;
BEGIN
  IF current_setting('transaction_isolation') <> 'serializable' THEN
    RAISE EXCEPTION 'send_high_five needs SERIALIZABLE: run `make migrate`, which sets it for the role'
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  PERFORM become(p_sender);
  SELECT u.name INTO v_sender FROM users AS u WHERE u.id = p_sender;
  IF NOT FOUND THEN
    outcome := 'unknown_user';
    RETURN;
  END IF;
  SELECT * INTO v_target FROM high_five_target(p_sender, p_event);
  IF v_target.readable IS NOT TRUE OR v_target.owner_id = p_sender THEN
    outcome := CASE WHEN v_target.readable THEN 'own' ELSE 'unknown_event' END;
    RETURN;
  END IF;

  INSERT INTO high_five_senders AS s (user_id, since, sent) VALUES (p_sender, p_now, 1)
  ON CONFLICT (user_id) DO UPDATE
  SET since = CASE WHEN s.since > p_now - interval '1 hour' THEN s.since ELSE p_now END,
      sent = CASE WHEN s.since > p_now - interval '1 hour' THEN s.sent ELSE 0 END + 1
  RETURNING s.since, s.sent INTO v_window;
  IF v_window.sent <= p_most THEN
    INSERT INTO high_fives (rendition_id, sender_id, notice_id, share, sent_at)
    VALUES (p_event, p_sender, p_notice, p_share, p_now)
    ON CONFLICT (rendition_id, sender_id) DO NOTHING;
    v_new := FOUND;
  END IF;
  IF NOT v_new THEN
    SELECT h.notice_id INTO v_notice FROM high_fives AS h WHERE h.rendition_id = p_event AND h.sender_id = p_sender;
    outcome := CASE WHEN NOT FOUND THEN 'limited' WHEN v_notice = p_notice THEN 'sent' ELSE 'existing' END;
    retry_s := CASE WHEN outcome = 'limited' THEN 3600 - extract(epoch FROM p_now - v_window.since)::integer END;
    RETURN;
  END IF;

  INSERT INTO high_five_notices AS n (event_id, sender_id, told) VALUES (v_target.event_id, p_sender, v_target.hears)
  ON CONFLICT (event_id, sender_id) DO UPDATE SET told = true WHERE excluded.told AND NOT n.told;
  v_tell := FOUND AND v_target.hears;
  INSERT INTO high_five_counts AS c (rendition_id, share, high_fives, numbered_at)
  VALUES (p_event, p_share, 1, v_target.numbered_at)
  ON CONFLICT (rendition_id, share) DO UPDATE SET high_fives = c.high_fives + 1;
  PERFORM append_event(
    p_notice, p_now, 'musclemap', 'high_five', 1,
    CASE WHEN v_tell THEN v_target.account_id ELSE '00000000-0000-7000-8000-000000000019' END,
    CASE WHEN v_tell THEN v_target.owner_id END, CASE WHEN v_tell THEN v_target.name END, '{PRIVATE}',
    json_build_object('v', 1, 'event_id', v_target.event_id, 'event_type', v_target.type,
                      'user', json_build_object('id', p_sender, 'name', v_sender)));
  outcome := 'sent';
END $$;

-- Drops what belongs to renditions of the community that are p_days old and gone, at most p_batch high fives; how many
-- rows, null where there was nothing.
CREATE FUNCTION drop_high_fives(p_days integer, p_batch integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off AS $$
DECLARE
  v_gone uuid[] := ARRAY(
    SELECT DISTINCT c.rendition_id
      FROM (SELECT rendition_id, numbered_at FROM high_five_counts
             WHERE numbered_at < now() - make_interval(days => p_days) ORDER BY numbered_at LIMIT p_batch) AS c
     WHERE (SELECT true FROM stream_positions AS s  -- a look into its month for each
             WHERE s.event_id = c.rendition_id AND s.numbered_at = c.numbered_at LIMIT 1) IS NULL
       AND (SELECT true FROM feed_positions AS f
             WHERE f.event_id = c.rendition_id AND f.source IS NULL LIMIT 1) IS NULL);
  v_rows bigint;
  v_more bigint;
BEGIN
  DELETE FROM high_fives WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM high_fives WHERE rendition_id = ANY (v_gone) LIMIT p_batch));
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  DELETE FROM high_five_notices WHERE ctid = ANY (ARRAY(  -- of those that lead to no event of anybody
    SELECT ctid FROM high_five_notices WHERE event_id = ANY (v_gone) LIMIT p_batch));
  GET DIAGNOSTICS v_more = ROW_COUNT;
  IF greatest(v_rows, v_more) < p_batch THEN
    DELETE FROM high_five_counts WHERE rendition_id = ANY (v_gone);
  END IF;
  RETURN CASE WHEN v_gone <> '{}' THEN v_rows END;
END $$;
