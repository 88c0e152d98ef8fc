-- name: open_account
-- $1 account, $2 id for the ledger transaction, $3 welcome credits, $4 now
SELECT open_account($1, $2, $3, $4);

-- name: balance
-- $1 user
SELECT b.credits, b.version
  FROM users AS u JOIN credit_balances AS b ON b.account_id = u.account_id
 WHERE u.id = $1;

-- name: ledger
-- $1 user, $2 version before which the page begins or null, $3 number of rows
SELECT t.id, e.amount, e.balance_after, e.version, t.reason, t.workout_id, e.created_at
  FROM users AS u
  JOIN ledger_entries AS e ON e.account_id = u.account_id AND e.version IS NOT NULL
  JOIN ledger_transactions AS t ON t.id = e.transaction_id
 WHERE u.id = $1 AND ($2::bigint IS NULL OR e.version < $2)
 ORDER BY e.version DESC
 LIMIT $3;
