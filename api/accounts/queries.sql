-- Accounts and sessions. Every statement takes ids and times from Python.

-- name: insert_user
-- $1 id, $2 account id, $3 email, $4 name, $5 password hash, $6 end of the trial, $7 now
INSERT INTO users (id, account_id, email, name, password_hash, trial_ends_at, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7);

-- name: user_by_id
-- $1 id
SELECT u.id, u.account_id, u.email, u.name, u.roles, u.tier, u.audience, u.time_zone, u.archetype_id, u.created_at,
       u.subscribed_until, coalesce(p.xp, 0) AS xp, coalesce(p.level, 1) AS level
  FROM users AS u LEFT JOIN progress AS p ON p.user_id = u.id WHERE u.id = $1;

-- name: user_by_email
-- $1 email in lower case. Whoever signs in is nobody yet: what they have reached is not asked for.
SELECT id, account_id, email, name, roles, tier, audience, time_zone, archetype_id, created_at, subscribed_until,
       0 AS xp, 1 AS level, password_hash
  FROM user_of_email($1);

-- name: password_hash
-- $1 id
SELECT password_hash FROM users WHERE id = $1;

-- name: insert_session
-- $1 id, $2 user, $3 now, $4 end
INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4);

-- name: displace_sessions
-- $1 user, $2 now, $3 how many open ones stay, the newest. Returns the ids of those that were ended.
UPDATE sessions SET revoked_at = $2, revoked_reason = 'displaced'
 WHERE user_id = $1 AND revoked_at IS NULL
   AND id IN (SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL
               ORDER BY created_at DESC, id DESC OFFSET $3)
RETURNING id;

-- name: drop_old_sessions
-- $1 user, $2 time before which they ended: no socket, ticket or token of theirs is left, $3 how many that were ended
-- later stay, the newest
DELETE FROM sessions
 WHERE user_id = $1
   AND (expires_at < $2 OR revoked_at < $2
        OR id IN (SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NOT NULL
                   ORDER BY revoked_at DESC, id DESC OFFSET $3));

-- name: insert_refresh_token
-- $1 hash, $2 session, $3 generation, $4 now, $5 end
INSERT INTO refresh_tokens (token_hash, session_id, generation, created_at, expires_at) VALUES ($1, $2, $3, $4, $5);

-- name: lock_refresh_token
-- $1 hash. The session's row is locked: who rotates or ends it comes one after the other. The transaction is the token's
-- user's from here on.
SELECT session_id, user_id, generation, newest, expires_at, session_ended FROM use_refresh_token($1);

-- name: mark_rotated
-- $1 hash, $2 now
UPDATE refresh_tokens SET rotated_at = $2 WHERE token_hash = $1;

-- name: advance_session
-- $1 id, $2 newest generation, $3 end
UPDATE sessions SET generation = $2, expires_at = $3 WHERE id = $1;

-- name: drop_expired_tokens
-- $1 session, $2 now
DELETE FROM refresh_tokens WHERE session_id = $1 AND expires_at < $2;

-- name: sessions_ended_since
-- $1 since, $2 how many at most; the newest first. By the index sessions_revoked.
SELECT id FROM sessions_ended_since($1, $2) AS id;

-- name: audiences_since
-- $1 since, $2 how many at most; the newest first.
SELECT user_id, audience, at FROM audiences_since($1, $2);

-- name: reading_ended_since
-- $1 since, $2 how many at most; the newest first.
SELECT owner_id, reader_id, void_before FROM reading_ended_since($1, $2);

-- name: end_session
-- $1 id, $2 now, $3 reason. Returns the id where it was still open.
UPDATE sessions SET revoked_at = $2, revoked_reason = $3 WHERE id = $1 AND revoked_at IS NULL RETURNING id;

-- name: replace_password_hash
-- $1 user, $2 the hash that was verified, $3 new hash, $4 now. Nothing where it was changed meanwhile.
UPDATE users SET password_hash = $3, updated_at = $4 WHERE id = $1 AND password_hash = $2;

-- name: reissue_newest
-- $1 session, $2 its newest generation, which was never used, $3 its hash from now on
UPDATE refresh_tokens SET token_hash = $3 WHERE session_id = $1 AND generation = $2 AND token_hash <> $3;

-- name: ask_proof
-- $1 fresh id, $2 `join` or `reset`, $3 email in lower case, $4 name and $5 password hash of a join, $6 now, $7 end of the
-- link, $8 since when $9 are mailed to an address at most, $10 most mails that wait. Whether it was stored.
SELECT ask_proof($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: claim_mail
-- $1 hash of a fresh token, $2 now, $3 most tries, $4 seconds to the next, four times as many after each. The mail that
-- has waited longest, tried from now on; no row = none is due.
UPDATE proofs SET
       tries = tries + 1,
       send_at = CASE WHEN tries + 1 < $3 THEN $2::timestamptz + make_interval(secs => $4::float8 * 4 ^ tries) END,
       token_hash = CASE WHEN kind IN ('join', 'reset') THEN $1::bytea END
 WHERE id = (SELECT id FROM proofs WHERE send_at <= $2 AND expires_at > $2 ORDER BY send_at LIMIT 1
             FOR UPDATE SKIP LOCKED)
RETURNING id, kind, email, tries;

-- name: mail_done
-- $1 id. It has left, or never will.
UPDATE proofs SET send_at = NULL WHERE id = $1;

-- name: proof_kind
-- $1 hash, $2 now. What the link is for, or no row.
SELECT kind FROM proofs WHERE token_hash = $1 AND expires_at > $2;

-- name: prove_join
-- $1 hash, $2 user, $3 account, $4 ledger transaction, $5 welcome credits, $6 end of the trial, $7 now
SELECT prove_join($1, $2, $3, $4, $5, $6, $7);

-- name: prove_reset
-- $1 hash, $2 hash of the password, $3 now. The sessions that ended, or null.
SELECT prove_reset($1, $2, $3);
