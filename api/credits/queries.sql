-- name: open_account
-- $1 account, $2 id for the ledger transaction, $3 welcome credits, $4 now
SELECT open_account($1, $2, $3, $4);

-- name: balance
-- $1 user
SELECT b.credits, b.version
  FROM users AS u JOIN credit_balances AS b ON b.account_id = u.account_id
 WHERE u.id = $1;

-- name: ledger
-- $1 user, $2 version before which the page begins or null, $3 number of rows. Versions are dense: both ends of the page
-- are known, so that no plan reads more than the page (least ignores nulls).
SELECT t.id, e.amount, e.balance_after, e.version, t.reason, t.workout_id, e.created_at
  FROM users AS u
  JOIN credit_balances AS b ON b.account_id = u.account_id
  JOIN ledger_entries AS e ON e.account_id = b.account_id AND e.version < least($2, b.version + 1)
                          AND e.version >= least($2, b.version + 1) - $3
  JOIN ledger_transactions AS t ON t.id = e.transaction_id
 WHERE u.id = $1
 ORDER BY e.version DESC
 LIMIT $3;
