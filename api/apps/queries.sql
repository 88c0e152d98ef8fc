-- Other apps. Everything is written by functions (0024_apps.sql), which leave a row in admin_actions where a person acts.

-- name: app_of_key
-- $1 namespace, $2 hash of a server key
SELECT namespace, open, users, presence, keys, history, history_s, rate, event_bytes, channels FROM app_of_key($1, $2);

-- name: publish
-- $1 namespace, $2 channels, $3 ids, $4 bodies: arrays of one length, $5 now, $6 most channels of the namespace
SELECT fresh, wait_s, crowded FROM publish_app_events($1, $2, $3, $4, $5, $6);

-- name: history
-- $1 namespace, $2 channel, $3 offset, $4 most rows
SELECT epoch, head, lowest, "offset", body::text AS body FROM app_history($1, $2, $3, $4);

-- name: apps
-- All of them: APPS_MAX at most.
SELECT namespace, open, users, presence, keys, history, history_s, rate, event_bytes, channels FROM apps
 ORDER BY namespace;

-- name: key_counts
-- Two server keys of an app at most.
SELECT namespace, count(*) AS keys FROM app_keys GROUP BY namespace;

-- name: widgets
-- Those that are good: WIDGET_TOKENS_MAX at most.
SELECT id::text AS id, origin, key, expires_at FROM widget_tokens WHERE expires_at > clock_timestamp() ORDER BY id;

-- name: create
-- $1 id of the act, $2 now, $3 who, $4 namespace, $5 hash of the key, $6 most namespaces
SELECT create_app($1, $2, $3, $4, $5, $6);

-- name: rotate
-- $1 id of the act, $2 now, $3 who, $4 namespace, $5 hash of the key
SELECT rotate_app_key($1, $2, $3, $4, $5);

-- name: change
-- $1 id of the act, $2 now, $3 who, $4 namespace, $5 changes (JSON)
SELECT set_app($1, $2, $3, $4, $5);

-- name: note_widget
-- $1 id of the act, $2 now, $3 who, $4 id, $5 origin, $6 key (JSON), $7 its end, $8 most tokens
SELECT note_widget_token($1, $2, $3, $4, $5, $6, $7, $8);

-- name: revoke_widget
-- $1 id of the act, $2 now, $3 who, $4 id
SELECT revoke_widget_token($1, $2, $3, $4);
