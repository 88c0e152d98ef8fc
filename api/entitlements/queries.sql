-- name: entitlements
-- $1 user, $2 now
SELECT unlimited_reason(u.trial_ends_at, u.subscribed_until, $2) AS unlimited_reason, u.trial_ends_at,
       u.subscribed_until, b.credits
  FROM users AS u JOIN credit_balances AS b ON b.account_id = u.account_id
 WHERE u.id = $1;

-- name: take_checkout
-- $1 event, $2 its type, $3 its time, $4 now, $5 checkout session, $6 user, $7 customer or null, $8 credits or null,
-- $9 payment intent or null. Returns what became of it.
SELECT take_checkout($1, $2, $3, $4, $5, $6, $7, $8, $9) AS outcome;

-- name: take_refund
-- $1 event, $2 its type, $3 its time, $4 now, $5 charge, $6 payment intent, $7 its amount, $8 refunded of it in all
SELECT take_refund($1, $2, $3, $4, $5, $6, $7, $8) AS outcome;

-- name: take_subscription
-- $1 event, $2 its type, $3 its time, $4 now, $5 subscription, $6 user or null, $7 customer or null, $8 rank of the
-- event within a second, $9 status, $10 entitled until or null, $11 whether paid invoices extend it
SELECT take_subscription($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS outcome;

-- name: take_invoice
-- $1 event, $2 its type, $3 its time, $4 now, $5 subscription, $6 paid until
SELECT take_invoice($1, $2, $3, $4, $5, $6) AS outcome;
