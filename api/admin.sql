-- What `python -m api.admin` does, as the owner. Its audit row lies in the transaction of what it did.

-- name: person_by_id
-- $1 user
SELECT id, account_id, roles FROM users WHERE id = $1 FOR UPDATE;

-- name: person_by_email
-- $1 email in lower case
SELECT id, account_id, roles FROM users WHERE lower(email) = $1 FOR UPDATE;

-- name: act_for
-- $1 user, who is the viewer of this transaction for row level security
SELECT set_config('musclemap.user_id', $1, true);

-- name: grant_credits
-- $1 id of the action, $2 account, $3 credits, $4 now. Returns the balance then.
SELECT grant_credits($1, $2, $3, $4);

-- name: set_roles
-- $1 user, $2 roles, $3 now
UPDATE users SET roles = $2, updated_at = $3 WHERE id = $1;

-- name: flag
-- $1 key. What it is set to, and what that replaced.
SELECT f.key, f.version, v.parent, v.enabled, v.percent, v.allowed, v.denied
  FROM flags AS f LEFT JOIN flag_versions AS v ON v.key = f.key AND v.version = f.version
 WHERE f.key = $1;

-- name: add_flag_version
-- $1 key, $2 version that it replaces, $3 enabled or null, $4 percent or null, $5 allowed, $6 denied, $7 now. Returns
-- its number.
INSERT INTO flag_versions (key, version, parent, enabled, percent, allowed, denied, created_at)
VALUES ($1, 1 + coalesce((SELECT max(version) FROM flag_versions WHERE key = $1), 0), $2, $3, $4, $5, $6, $7)
RETURNING version;

-- name: point_flag
-- $1 key, $2 version that holds from now on, 0 = none, $3 now
INSERT INTO flags (key, version, updated_at) VALUES ($1, $2, $3)
ON CONFLICT (key) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at;

-- name: note_action
-- $1 id, $2 now, $3 who, $4 action, $5 account or null, $6 its arguments (JSON), $7 reason or null
INSERT INTO admin_actions (id, at, actor, action, account_id, arguments, reason) VALUES ($1, $2, $3, $4, $5, $6, $7);
