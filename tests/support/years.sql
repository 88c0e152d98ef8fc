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
