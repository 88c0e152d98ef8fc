-- Where the auditor stands, and whether what it stood on is still there.

-- name: newest_window
SELECT through FROM audit_windows ORDER BY through DESC LIMIT 1;

-- name: window_hole
-- $1 number of rows that are enough. Windows follow each other; the first one begins at the beginning.
SELECT through::text AS subject, format('began %s, the one before ended %s', began, before) AS detail
  FROM (SELECT through, began, lag(through) OVER (ORDER BY through) AS before FROM audit_windows) AS w
 WHERE began IS DISTINCT FROM before
 LIMIT $1;

-- name: last_windows
-- $1 how many, the newest.
SELECT began, through, workouts, transactions, entries, credits, events FROM audit_windows ORDER BY through DESC LIMIT $1;

-- name: count_window
-- $1 and $2 the lowest ids of the window and behind it.
SELECT (SELECT count(*) FROM workouts WHERE id >= $1 AND id < $2) AS workouts,
       (SELECT count(*) FROM ledger_transactions WHERE id >= $1 AND id < $2) AS transactions,
       e.entries, e.credits,
       (SELECT count(*) FROM activity_events WHERE id >= $1 AND id < $2) AS events
  FROM (SELECT count(*) AS entries, coalesce(sum(abs(amount)), 0)::bigint AS credits
          FROM ledger_entries WHERE transaction_id >= $1 AND transaction_id < $2) AS e;

-- name: add_window
-- $1 began, $2 through, $3 workouts, $4 transactions, $5 entries, $6 credits, $7 events
INSERT INTO audit_windows (began, through, workouts, transactions, entries, credits, events)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: forget_windows
DELETE FROM audit_windows;

-- name: note_audit
-- $1 kind, $2 now, $3 through, $4 findings, $5 seconds that it took
INSERT INTO audits (kind, at, through, findings, took_s) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (kind) DO UPDATE
SET at = excluded.at, through = excluded.through, findings = excluded.findings, took_s = excluded.took_s;

-- name: wait_for_retention
-- For this transaction: nothing is dropped meanwhile.
SELECT pg_advisory_xact_lock_shared(hashtext('musclemap.retention'));

-- name: events_dropped
-- Events that are older may be gone; the windows count those that are kept.
SELECT through::text FROM retention WHERE what = 'activity_events';
