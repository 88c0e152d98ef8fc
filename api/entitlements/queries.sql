-- name: entitlements
-- $1 user, $2 now
SELECT unlimited_reason(u.trial_ends_at, u.subscribed_until, $2) AS unlimited_reason, u.trial_ends_at, b.credits
  FROM users AS u JOIN credit_balances AS b ON b.account_id = u.account_id
 WHERE u.id = $1;
