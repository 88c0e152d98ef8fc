-- What years.sql leaves small because a benchmark of workouts needs little of it: a long public feed, many channels,
-- a full outbox, a user with many sessions.
INSERT INTO stream_positions (namespace, channel, "offset", event_id, event_at, numbered_at, body)
SELECT 'musclemap', 'community', n, gen_random_uuid(), now() - interval '1 day', now() - interval '1 day', '{"id":"x"}'
  FROM feed_channels, generate_series(last_offset + 1, 100000) AS n WHERE channel = 'community';
UPDATE feed_channels SET last_offset = 100000, published_through = 100000 WHERE channel = 'community';
INSERT INTO feed_channels (namespace, channel)
SELECT 'musclemap', 'user:' || gen_random_uuid() FROM generate_series(1, 20000);
INSERT INTO outbox (event_id, event_at, event)
SELECT gen_random_uuid(), now() - interval '1 minute',
       json_build_object('user', json_build_object('id', 'u' || n % 3000), 'data', repeat('x', 800))
  FROM generate_series(1, 12000) AS n;
INSERT INTO leases (name, holder, term, until) VALUES ('relay', 'me', 1, now() + interval '1 hour');
INSERT INTO sessions (id, user_id, created_at, expires_at)
SELECT gen_random_uuid(), (SELECT id FROM users WHERE name = 'User 1'), now(), now() + interval '7 days'
  FROM generate_series(1, 99);
INSERT INTO follows (follower_id, followee_id, state, since)
SELECT a.id, b.id, CASE WHEN b.name LIKE '%7' THEN 'requested' ELSE 'following' END, now() - interval '1 day'
  FROM users AS a, users AS b WHERE a.id <> b.id AND (a.name = 'User 1' OR b.name = 'User 1' OR a.name LIKE '%99');
INSERT INTO follow_counts (user_id, followers, following, requested)
SELECT u.id, (SELECT count(*) FROM follows WHERE followee_id = u.id AND state = 'following'),
       (SELECT count(*) FROM follows WHERE follower_id = u.id AND state = 'following'),
       (SELECT count(*) FROM follows WHERE follower_id = u.id AND state = 'requested')
  FROM users AS u;
INSERT INTO blocks (blocker_id, blocked_id, since)
SELECT a.id, b.id, now() FROM users AS a, users AS b WHERE a.id <> b.id AND a.name LIKE '%5' AND b.name LIKE '%55';
INSERT INTO follow_notices (follower_id, owner_id, type, told_at)
SELECT follower_id, followee_id, 'followed', now() - interval '1 day' FROM follows;
INSERT INTO ended_reads (owner_id, reader_id, void_before, ended_at)
SELECT (SELECT id FROM users WHERE name = 'User 1'), gen_random_uuid(), 1700000000 + n, now() - n * interval '1 second'
  FROM generate_series(0, 20000) AS n;
UPDATE users SET audience_at = now() - interval '1 day' WHERE name LIKE '%3';
ANALYZE follows, follow_counts, blocks, follow_notices, ended_reads, users, name_tails;
-- High fives: a hundred for each of the newest of the community's and of somebody's, 20,000 for one, a year of a sender.
INSERT INTO high_fives (rendition_id, sender_id, notice_id, share, sent_at)
SELECT e.event_id, gen_random_uuid(), gen_random_uuid(), 0, now() FROM (
  (SELECT event_id FROM stream_positions WHERE channel = 'community' ORDER BY "offset" DESC LIMIT 300)
  UNION ALL
  (SELECT event_id FROM feed_positions WHERE channel = 'user:' || (SELECT id FROM users WHERE name = 'User 1')
    ORDER BY "offset" DESC LIMIT 300)) AS e, generate_series(1, 100);
INSERT INTO high_fives (rendition_id, sender_id, notice_id, share, sent_at)
SELECT (SELECT event_id FROM stream_positions WHERE channel = 'community' ORDER BY "offset" DESC LIMIT 1),
       gen_random_uuid(), gen_random_uuid(), 0, now() FROM generate_series(1, 20000);
INSERT INTO high_fives (rendition_id, sender_id, notice_id, share, sent_at)
SELECT gen_random_uuid(), (SELECT id FROM users WHERE name = 'User 1'), gen_random_uuid(), 0, now() - interval '1 year'
  FROM generate_series(1, 2000);
INSERT INTO high_five_counts (rendition_id, share, high_fives, numbered_at)
SELECT h.rendition_id, s, CASE s WHEN 0 THEN h.count ELSE 0 END, now() - (h.count % 2) * interval '1 year'
  FROM (SELECT rendition_id, count(*) AS count FROM high_fives GROUP BY 1) AS h, generate_series(0, 7) AS s;
INSERT INTO high_five_notices (event_id, sender_id, told) SELECT rendition_id, sender_id, true FROM high_fives;
ANALYZE high_fives, high_five_counts, high_five_notices;
INSERT INTO payment_events (id, type, created, received_at)
SELECT 'evt_' || n, 'checkout.session.completed', now(), now() FROM generate_series(1, 20000) AS n;
INSERT INTO purchases (session, account_id, credits, payment, created, event_id, updated_at)
SELECT 'cs_' || n, account_id, 100, 'pi_' || n, now(), 'evt_' || n, now() - n * interval '1 minute'
  FROM generate_series(1, 20000) AS n JOIN (SELECT row_number() OVER () AS k, account_id FROM users) AS u
    ON u.k = 1 + n % 200;
INSERT INTO payment_refunds (charge, payment, amount, refunded, created, event_id, updated_at)
SELECT 'ch_' || n, 'pi_' || n, 1000, 500, now(), 'evt_' || n, now() - n * interval '1 minute'
  FROM generate_series(1, 20000, 7) AS n;
INSERT INTO credit_claims (account_id, reason, source, wanted, booked, steps, updated_at)
SELECT account_id, 'purchase', session, credits, credits, 1, updated_at FROM purchases
UNION ALL
SELECT account_id, 'refund', session, -50, -50, 1, r.updated_at FROM purchases JOIN payment_refunds AS r USING (payment);
INSERT INTO payment_customers (customer, account_id, created, event_id, updated_at)
SELECT 'cus_' || k, account_id, now(), 'evt_' || k, now() - k * interval '1 minute'
  FROM (SELECT row_number() OVER () AS k, account_id FROM users) AS u;
INSERT INTO subscriptions (id, customer, status, until, created, rank, event_id, updated_at)
SELECT 'sub_' || n, 'cus_' || 1 + n % 900, 'active', now(), now(), 1, 'evt_' || n, now() - n * interval '1 minute'
  FROM generate_series(1, 5000) AS n;
INSERT INTO admin_actions (id, at, actor, action, account_id, arguments)
SELECT gen_random_uuid(), now(), 'root', 'grant', account_id, '{"credits": 5}' FROM users;
ANALYZE payment_events, purchases, payment_refunds, credit_claims, payment_customers, subscriptions, admin_actions;
INSERT INTO progress (user_id, xp, workouts, volume, streak_longest, streak_days, streak_last, updated_at)
SELECT id, n, n, n, 9, 1 + n % 9, (now() - interval '1 day' * (n % 9))::date, now()
  FROM (SELECT id, row_number() OVER () AS n FROM users) AS u
ON CONFLICT DO NOTHING;
INSERT INTO training_days (user_id, local_date, workouts, xp, volume)
SELECT id, d::date, 1, 10, 10 FROM users, generate_series(now() - interval '1 year', now(), interval '10 days') AS d
ON CONFLICT DO NOTHING;
INSERT INTO rivals (user_id, rival_id, since, my_start, their_start)
SELECT u.id, r.id, now(), 0, 0 FROM users AS u CROSS JOIN LATERAL (
  SELECT id FROM users WHERE id > u.id ORDER BY id LIMIT 9) AS r;
INSERT INTO job_runs (job, slot, worker, started, finished)
SELECT job, s, 'me', s, s FROM unnest('{streaks,leaderboards,rivals,partitions,drop-sessions}'::text[]) AS job,
       generate_series(now() - interval '40 days', now() - interval '1 day', interval '10 minutes') AS s;
INSERT INTO leaderboard_snapshots (week, board, place, rank, user_id, score, kept_at)
SELECT w::date, b, n, n, gen_random_uuid(), 1, w
  FROM generate_series(now() - interval '3 years', now() - interval '2 weeks', interval '7 days') AS w,
       unnest('{XP,VOLUME,STREAK}'::text[]) AS b, generate_series(1, 100) AS n;
REFRESH MATERIALIZED VIEW leaderboard;
ANALYZE progress, training_days, rivals, job_runs, leaderboard_snapshots, leaderboard;
ANALYZE stream_positions, feed_positions, feed_channels, outbox, leases, sessions;
INSERT INTO proofs (id, kind, email, created_at, expires_at, send_at)
SELECT gen_random_uuid(), 'known', 'p' || n % 3000 || '@example.org', now(), now() + interval '1 hour' * (n % 2 - 0.5),
       CASE WHEN n % 5 = 0 THEN now() END
  FROM generate_series(1, 20000) AS n;
INSERT INTO ended_sessions (id, ended_at)
SELECT gen_random_uuid(), now() - interval '1 hour' * (n % 60) FROM generate_series(1, 1200) AS n;
ANALYZE proofs, ended_sessions, stream_positions, feed_positions, feed_channels, outbox, leases, sessions;
-- What User 1 has of what is exported and else few have.
INSERT INTO blocks (blocker_id, blocked_id, since)
SELECT a.id, b.id, now() FROM users AS a, users AS b WHERE a.name = 'User 1' AND b.name = 'User 66';
INSERT INTO user_time_zones (user_id, since, time_zone) SELECT id, '-infinity', 'UTC' FROM users WHERE name = 'User 1';
UPDATE users SET roles = '{user,admin}' WHERE name = 'User 1';
UPDATE users SET zone_since = now() - interval '1 day' WHERE name = 'User 1';
INSERT INTO streak_runs (user_id, first, last, days)
SELECT id, '2026-01-01', '2026-01-07', 7 FROM users WHERE name = 'User 1' ON CONFLICT DO NOTHING;
INSERT INTO user_challenges (user_id, starts_on, challenge_id, progress, target, reward_xp, joined_at)
SELECT u.id, '2026-01-05', c.id, 1, 5, 10, now() FROM users AS u, challenges AS c WHERE u.name = 'User 1';
INSERT INTO earned_achievements (user_id, achievement_id, earned_at)
SELECT u.id, a.id, now() FROM users AS u, achievements AS a WHERE u.name = 'User 1' ON CONFLICT DO NOTHING;
INSERT INTO subscriptions (id, customer, status, until, created, rank, event_id, updated_at)
SELECT 'sub_of_user_1', c.customer, 'active', now(), now(), 1, 'evt_1', now()
  FROM payment_customers AS c JOIN users AS u USING (account_id) WHERE u.name = 'User 1';
-- An app that has published for a year, on many channels.
INSERT INTO apps (namespace, history, history_s, channels, created_at)
VALUES ('polls', 10000, 1, 20000, now()), ('meals', 1000, NULL, 0, now());
INSERT INTO app_rates (namespace, tokens, at) SELECT namespace, 5000, now() FROM apps;
INSERT INTO app_keys (key_hash, namespace, created_at) VALUES (sha256('polls'), 'polls', now()), (sha256('meals'), 'meals', now());
INSERT INTO app_channels (namespace, channel, created_at) SELECT 'polls', 'c' || n, now() FROM generate_series(1, 20000) AS n;
INSERT INTO app_event_ids (namespace, id, at)
SELECT 'polls', n::text, now() - interval '1 minute' * n FROM generate_series(1, 30000) AS n;
INSERT INTO feed_channels (namespace, channel, last_offset, published_through) VALUES ('polls', 'c1', 20000, 20000);
INSERT INTO stream_positions (namespace, channel, "offset", event_id, event_at, numbered_at, body)
SELECT 'polls', 'c1', n, gen_random_uuid(), now() - interval '1 hour', now() - interval '1 hour', '{"id":"x","data":{}}'
  FROM generate_series(1, 20000) AS n;
INSERT INTO widget_tokens (id, origin, key, created_at, expires_at)
SELECT gen_random_uuid(), 'https://gym.example', '{}', now(), now() + interval '1 day' FROM generate_series(1, 1000);
ANALYZE apps, app_keys, app_channels, app_event_ids, feed_channels, stream_positions, widget_tokens;
