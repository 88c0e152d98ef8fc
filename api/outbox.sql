-- name: append_event
-- $1 id, $2 at, $3 namespace, $4 type, $5 v, $6 account, $7 user, $8 the user's name, $9 visibility, $10 data (JSON)
SELECT append_event($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);
