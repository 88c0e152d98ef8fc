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
INSERT INTO proofs (id, kind, email, created_at, expires_at, send_at)
SELECT gen_random_uuid(), 'known', 'p' || n % 3000 || '@example.org', now(), now() + interval '1 hour' * (n % 2 - 0.5),
       CASE WHEN n % 5 = 0 THEN now() END
  FROM generate_series(1, 20000) AS n;
INSERT INTO ended_sessions (id, ended_at)
SELECT gen_random_uuid(), now() - interval '1 hour' * (n % 60) FROM generate_series(1, 1200) AS n;
ANALYZE proofs, ended_sessions, stream_positions, feed_positions, feed_channels, outbox, leases, sessions;
