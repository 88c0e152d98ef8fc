-- outside a transaction
-- Credits that are bought, given back or granted, subscriptions, what admins do, and flags. Each statement bears being
-- run again: the books are changed beside live traffic, and so not in one transaction.

-- --- The books learn where credits came from: of a purchase or its refund the checkout session, of a grant the action.

INSERT INTO accounts (id, kind, slug, created_at) VALUES
  ('00000000-0000-7000-8000-000000000003', 'system', 'purchases', now()),  -- sells credits, and takes them back
  ('00000000-0000-7000-8000-000000000004', 'system', 'grants', now())      -- gives what admins grant
ON CONFLICT (id) DO NOTHING;

ALTER TABLE ledger_transactions
  ADD COLUMN IF NOT EXISTS source text,
  ADD COLUMN IF NOT EXISTS step integer;  -- 1, 2, 3 … of the source and reason: none is posted twice
ALTER TABLE ledger_transactions
  DROP CONSTRAINT IF EXISTS ledger_transactions_source_step,
  ADD CONSTRAINT ledger_transactions_source_step CHECK (
    (reason IN ('purchase', 'refund', 'grant')) = (source IS NOT NULL) AND (source IS NULL) = (step IS NULL)
  ) NOT VALID;
ALTER TABLE ledger_transactions VALIDATE CONSTRAINT ledger_transactions_source_step;
CREATE UNIQUE INDEX CONCURRENTLY ledger_transactions_source ON ledger_transactions (source, reason, account_id, step)
  WHERE source IS NOT NULL;

-- What the books should have of a source (wanted) and have (booked), signed. They differ where the balance has no room:
-- below 0 or above what GraphQL's Int can say; then the next credits settle it. So a refund of credits that were spent
-- takes what is there, and the rest is owed.
CREATE TABLE IF NOT EXISTS credit_claims (
  account_id  uuid NOT NULL,
  reason      text NOT NULL CHECK (reason IN ('purchase', 'refund', 'grant')),
  source      text NOT NULL,
  wanted      bigint NOT NULL,
  booked      bigint NOT NULL DEFAULT 0,
  steps       integer NOT NULL DEFAULT 0 CHECK (steps >= 0),
  updated_at  timestamptz NOT NULL,
  PRIMARY KEY (account_id, reason, source)
);
CREATE INDEX IF NOT EXISTS credit_claims_open ON credit_claims (account_id) WHERE wanted <> booked;
CREATE INDEX IF NOT EXISTS credit_claims_source ON credit_claims (source);
CREATE INDEX IF NOT EXISTS credit_claims_updated ON credit_claims (updated_at);

-- --- What the payment provider has said: facts by object. Of two words about one the later holds, by the event's time,
-- so that no order and no repetition makes a difference. They name pseudonymous accounts, never users.

CREATE TABLE IF NOT EXISTS payment_events (
  id           text PRIMARY KEY,
  type         text NOT NULL,
  created      timestamptz NOT NULL,
  received_at  timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS purchases (  -- paid checkout sessions
  session     text PRIMARY KEY,
  account_id  uuid NOT NULL,
  credits     bigint NOT NULL CHECK (credits > 0),
  payment     text,  -- the payment intent, by which refunds find it
  created     timestamptz NOT NULL,
  event_id    text NOT NULL,
  updated_at  timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS purchases_payment ON purchases (payment);
CREATE INDEX IF NOT EXISTS purchases_updated ON purchases (updated_at);
CREATE TABLE IF NOT EXISTS payment_refunds (
  charge      text PRIMARY KEY,
  payment     text NOT NULL,
  amount      bigint NOT NULL CHECK (amount > 0),  -- in the currency's smallest unit
  refunded    bigint NOT NULL CHECK (refunded BETWEEN 0 AND amount),  -- in all
  created     timestamptz NOT NULL,
  event_id    text NOT NULL,
  updated_at  timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS payment_refunds_updated ON payment_refunds (updated_at);
CREATE INDEX IF NOT EXISTS payment_refunds_payment ON payment_refunds (payment);
CREATE TABLE IF NOT EXISTS payment_customers (  -- whom a checkout named
  customer    text PRIMARY KEY,
  account_id  uuid NOT NULL,
  created     timestamptz NOT NULL,
  event_id    text NOT NULL,
  updated_at  timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS payment_customers_account ON payment_customers (account_id);
CREATE INDEX IF NOT EXISTS payment_customers_updated ON payment_customers (updated_at);
CREATE TABLE IF NOT EXISTS subscriptions (
  id          text PRIMARY KEY,
  customer    text,         -- whose it is, where it names nobody itself
  account_id  uuid,         -- whom it names itself
  status      text,         -- null until it has been told
  until       timestamptz,  -- entitled until then by the status; null = not at all
  extends     boolean NOT NULL DEFAULT false,  -- paid_until counts too
  paid_until  timestamptz,  -- end of what paid invoices are for
  created     timestamptz,
  rank        smallint,     -- of events of one second: created, updated, deleted
  event_id    text,
  updated_at  timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS subscriptions_updated ON subscriptions (updated_at);
CREATE INDEX IF NOT EXISTS subscriptions_account ON subscriptions (account_id);
CREATE INDEX IF NOT EXISTS subscriptions_customer ON subscriptions (customer);

-- --- What people with a shell did, and flags.

CREATE TABLE IF NOT EXISTS admin_actions (
  id          uuid PRIMARY KEY,
  at          timestamptz NOT NULL,
  actor       text NOT NULL,  -- the account of the operating system
  action      text NOT NULL,
  account_id  uuid,           -- whom it was about
  arguments   jsonb NOT NULL,
  reason      text            -- what the admin says of it
);
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON admin_actions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE IF NOT EXISTS flag_versions (
  key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 80),
  version     integer NOT NULL CHECK (version >= 1),
  parent      integer NOT NULL CHECK (parent >= 0),  -- what a rollback of it brings back; 0 = the default in the code
  enabled     boolean,         -- null = the default in the code
  percent     double precision CHECK (percent BETWEEN 0 AND 100),  -- of the users; null = all alike
  allowed     text[] NOT NULL, -- users, hashed: they always have it ...
  denied      text[] NOT NULL, -- ... or never
  created_at  timestamptz NOT NULL,
  PRIMARY KEY (key, version)
);
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON flag_versions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TABLE IF NOT EXISTS flags (
  key         text PRIMARY KEY,
  version     integer NOT NULL CHECK (version >= 0),  -- the one that holds
  updated_at  timestamptz NOT NULL
);

-- --- How credits move.

-- A UUIDv7 (RFC 9562, 5.7) of a time: a random UUID with its first 48 bits and its version replaced.
CREATE OR REPLACE FUNCTION uuid7_at(p_at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE
SET search_path TO pg_catalog, pg_temp AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
           PLACING substring(int8send(floor(extract(epoch FROM p_at) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
           52, 1), 53, 1), 'hex')::uuid
$$;

-- Brings the books to what an account's claims want, as far as there is room: what comes in first, so that it pays what
-- is owed; then what was given and is no longer due; then refunds. Where the second finds no room, refunds give theirs
-- back, so that what waits does not depend on which word came first. Each step is a ledger transaction with a key of its own; what a person is given is an event for them alone.
CREATE OR REPLACE FUNCTION settle_credits(p_account uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off AS $$
DECLARE
  v_most constant bigint := 2147483647;
  v_credits bigint;
  v_version bigint;
  v_claim record;
  v_moved bigint;
  v_transaction uuid;
  v_event uuid;
BEGIN
  SELECT credits INTO STRICT v_credits FROM credit_balances WHERE account_id = p_account FOR UPDATE;
  LOOP
    SELECT * INTO v_claim FROM credit_claims
     WHERE account_id = p_account AND wanted <> booked
       AND CASE WHEN wanted > booked THEN v_credits < v_most ELSE v_credits > 0 END
     ORDER BY wanted < booked, reason, source LIMIT 1;
    v_moved := least(greatest(v_claim.wanted - v_claim.booked, -v_credits), v_most - v_credits);
    IF NOT FOUND THEN
      SELECT max(booked - wanted) INTO v_moved FROM credit_claims
       WHERE account_id = p_account AND reason <> 'refund' AND wanted < booked;
      EXIT WHEN v_moved IS NULL;
      SELECT * INTO v_claim FROM credit_claims
       WHERE account_id = p_account AND reason = 'refund' AND booked < 0 ORDER BY source DESC LIMIT 1;
      EXIT WHEN NOT FOUND;
      v_moved := least(v_moved, -v_claim.booked);
    END IF;
    v_transaction := uuid7_at(p_now);
    UPDATE credit_claims SET booked = booked + v_moved, steps = steps + 1, updated_at = p_now
     WHERE account_id = p_account AND reason = v_claim.reason AND source = v_claim.source;
    UPDATE credit_balances SET credits = credits + v_moved, version = version + 1, updated_at = p_now
     WHERE account_id = p_account RETURNING credits, version INTO STRICT v_credits, v_version;
    INSERT INTO ledger_transactions (id, account_id, reason, source, step, created_at)
    VALUES (v_transaction, p_account, v_claim.reason, v_claim.source, v_claim.steps + 1, p_now);
    INSERT INTO ledger_entries (transaction_id, account_id, amount, balance_after, version, created_at)
    SELECT v_transaction, p_account, v_moved, v_credits, v_version, p_now
    UNION ALL SELECT v_transaction, a.id, -v_moved, NULL, NULL, p_now FROM accounts AS a
               WHERE a.slug = CASE v_claim.reason WHEN 'grant' THEN 'grants' ELSE 'purchases' END;
    IF v_moved > 0 AND v_claim.reason <> 'refund' THEN
      v_event := uuid7_at(p_now);
      PERFORM append_event(v_event, p_now, 'musclemap', 'credits_granted', 1, u.account_id, u.id, u.name,
                           '{PRIVATE}', json_build_object('v', 1, 'credits', v_moved, 'reason', v_claim.reason))
         FROM users AS u WHERE u.account_id = p_account;
    END IF;
  END LOOP;
END $$;

-- Claims what is known of a paid session: its credits, and of them the part that was refunded, rounded down. For an
-- account that an earlier word had named: nothing.
CREATE OR REPLACE FUNCTION claim_purchase(p_session text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off AS $$
DECLARE
  v_bought purchases;
  v_back bigint;
BEGIN
  SELECT * INTO STRICT v_bought FROM purchases WHERE session = p_session;
  SELECT least(coalesce(sum(v_bought.credits * refunded / amount), 0), v_bought.credits) INTO v_back
    FROM payment_refunds WHERE payment = v_bought.payment;
  UPDATE credit_claims SET wanted = 0, updated_at = p_now
   WHERE source = p_session AND wanted <> 0 AND account_id <> v_bought.account_id;
  INSERT INTO credit_claims AS c (account_id, reason, source, wanted, updated_at)
  VALUES (v_bought.account_id, 'purchase', p_session, v_bought.credits, p_now),
         (v_bought.account_id, 'refund', p_session, -v_back, p_now)
  ON CONFLICT (account_id, reason, source) DO UPDATE SET wanted = excluded.wanted, updated_at = p_now
   WHERE c.wanted <> excluded.wanted;
  PERFORM settle_credits(a.account_id, p_now)
     FROM (SELECT DISTINCT account_id FROM credit_claims WHERE source = p_session ORDER BY 1) AS a;
END $$;

-- The end of what an account's subscriptions entitle to: of those that name it, and of its customers'.
CREATE OR REPLACE FUNCTION keep_subscribed_until(p_account uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off AS $$
DECLARE
  v_until timestamptz;
BEGIN
  SELECT max(CASE WHEN s.extends THEN greatest(s.until, s.paid_until) ELSE s.until END) INTO v_until
    FROM (SELECT * FROM subscriptions WHERE account_id = p_account
          UNION ALL
          SELECT s.* FROM payment_customers AS c JOIN subscriptions AS s ON s.customer = c.customer
           WHERE c.account_id = p_account AND s.account_id IS NULL) AS s;
  UPDATE users SET subscribed_until = v_until, updated_at = p_now
   WHERE account_id = p_account AND subscribed_until IS DISTINCT FROM v_until;
END $$;

-- --- What an event says, each in one call and one transaction: `taken`, `repeated`, or `unknown_user`.

-- Whether it is the first time that this event comes.
CREATE OR REPLACE FUNCTION note_payment_event(p_event text, p_type text, p_created timestamptz, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'serializable' THEN
    RAISE EXCEPTION 'payments need SERIALIZABLE: run `make migrate`, which sets it for the role'
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  INSERT INTO payment_events (id, type, created, received_at) VALUES (p_event, p_type, p_created, p_now)
  ON CONFLICT (id) DO NOTHING;
  RETURN FOUND;
END $$;

-- A completed checkout of p_user: names the customer, and p_credits (null = none) are bought.
CREATE OR REPLACE FUNCTION take_checkout(
  p_event text, p_type text, p_created timestamptz, p_now timestamptz,
  p_session text, p_user uuid, p_customer text, p_credits bigint, p_payment text
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off AS $$
DECLARE
  v_account uuid;
  v_before uuid;
BEGIN
  IF NOT note_payment_event(p_event, p_type, p_created, p_now) THEN
    RETURN 'repeated';
  END IF;
  SELECT account_id INTO v_account FROM users WHERE id = p_user;
  IF NOT FOUND THEN
    RETURN 'unknown_user';
  END IF;
  IF p_customer IS NOT NULL THEN
    SELECT account_id INTO v_before FROM payment_customers WHERE customer = p_customer;
    INSERT INTO payment_customers AS c (customer, account_id, created, event_id, updated_at)
    VALUES (p_customer, v_account, p_created, p_event, p_now)
    ON CONFLICT (customer) DO UPDATE
       SET account_id = excluded.account_id, created = excluded.created, event_id = excluded.event_id,
           updated_at = p_now
     WHERE (c.created, c.event_id) < (excluded.created, excluded.event_id);
    PERFORM keep_subscribed_until(a, p_now) FROM unnest(ARRAY[v_before, v_account]) AS a WHERE a IS NOT NULL;
  END IF;
  IF p_credits IS NOT NULL THEN
    INSERT INTO purchases AS p (session, account_id, credits, payment, created, event_id, updated_at)
    VALUES (p_session, v_account, p_credits, p_payment, p_created, p_event, p_now)
    ON CONFLICT (session) DO UPDATE
       SET account_id = excluded.account_id, credits = excluded.credits, payment = excluded.payment,
           created = excluded.created, event_id = excluded.event_id, updated_at = p_now
     WHERE (p.created, p.event_id) < (excluded.created, excluded.event_id);
    PERFORM claim_purchase(p_session, p_now);
  END IF;
  RETURN 'taken';
END $$;

-- Of a charge so much was refunded in all: of events of one second the one with more.
CREATE OR REPLACE FUNCTION take_refund(
  p_event text, p_type text, p_created timestamptz, p_now timestamptz,
  p_charge text, p_payment text, p_amount bigint, p_refunded bigint
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off AS $$
DECLARE
  v_before text;
BEGIN
  IF NOT note_payment_event(p_event, p_type, p_created, p_now) THEN
    RETURN 'repeated';
  END IF;
  SELECT payment INTO v_before FROM payment_refunds WHERE charge = p_charge;
  INSERT INTO payment_refunds AS r (charge, payment, amount, refunded, created, event_id, updated_at)
  VALUES (p_charge, p_payment, p_amount, p_refunded, p_created, p_event, p_now)
  ON CONFLICT (charge) DO UPDATE
     SET payment = excluded.payment, amount = excluded.amount, refunded = excluded.refunded,
         created = excluded.created, event_id = excluded.event_id, updated_at = p_now
   WHERE (r.created, r.refunded, r.event_id) < (excluded.created, excluded.refunded, excluded.event_id);
  PERFORM claim_purchase(p.session, p_now)
     FROM (SELECT session FROM purchases WHERE payment IN (v_before, p_payment) ORDER BY session) AS p;
  RETURN 'taken';
END $$;

-- How a subscription stands. p_user: whom it names itself, or null.
CREATE OR REPLACE FUNCTION take_subscription(
  p_event text, p_type text, p_created timestamptz, p_now timestamptz,
  p_subscription text, p_user uuid, p_customer text, p_rank smallint, p_status text, p_until timestamptz,
  p_extends boolean
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off AS $$
DECLARE
  v_accounts uuid[];
BEGIN
  IF NOT note_payment_event(p_event, p_type, p_created, p_now) THEN
    RETURN 'repeated';
  END IF;
  v_accounts := subscribers(p_subscription);
  INSERT INTO subscriptions AS s (id, customer, account_id, status, until, extends, created, rank, event_id, updated_at)
  VALUES (p_subscription, p_customer, (SELECT account_id FROM users WHERE id = p_user), p_status, p_until, p_extends,
          p_created, p_rank, p_event, p_now)
  ON CONFLICT (id) DO UPDATE
     SET customer = excluded.customer, account_id = excluded.account_id, status = excluded.status,
         until = excluded.until, extends = excluded.extends, created = excluded.created, rank = excluded.rank,
         event_id = excluded.event_id, updated_at = p_now
   WHERE s.event_id IS NULL
      OR (s.created, s.rank, coalesce(s.until, '-infinity'), s.event_id)
       < (excluded.created, excluded.rank, coalesce(excluded.until, '-infinity'), excluded.event_id);
  PERFORM keep_subscribed_until(a, p_now) FROM unnest(v_accounts || subscribers(p_subscription)) AS a;
  RETURN 'taken';
END $$;

-- An invoice of a subscription was paid, for a time that ends at p_until.
CREATE OR REPLACE FUNCTION take_invoice(
  p_event text, p_type text, p_created timestamptz, p_now timestamptz, p_subscription text, p_until timestamptz
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp SET enable_seqscan TO off AS $$
BEGIN
  IF NOT note_payment_event(p_event, p_type, p_created, p_now) THEN
    RETURN 'repeated';
  END IF;
  INSERT INTO subscriptions AS s (id, paid_until, updated_at) VALUES (p_subscription, p_until, p_now)
  ON CONFLICT (id) DO UPDATE SET paid_until = greatest(s.paid_until, excluded.paid_until), updated_at = p_now;
  PERFORM keep_subscribed_until(a, p_now) FROM unnest(subscribers(p_subscription)) AS a;
  RETURN 'taken';
END $$;

-- The account that a subscription is of, as far as it is known: one or none.
CREATE OR REPLACE FUNCTION subscribers(p_subscription text) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path TO pg_catalog, public, pg_temp AS $$
  SELECT coalesce(array_agg(a), '{}') FROM (
    SELECT coalesce(s.account_id, c.account_id) AS a
      FROM subscriptions AS s LEFT JOIN payment_customers AS c ON c.customer = s.customer
     WHERE s.id = p_subscription) AS x WHERE a IS NOT NULL
$$;

-- --- Admins.

-- Credits for an account by an action that is recorded beside it; returns the balance then. Of the owner's role alone.
CREATE OR REPLACE FUNCTION grant_credits(p_action uuid, p_account uuid, p_credits bigint, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO credit_claims (account_id, reason, source, wanted, updated_at)
  VALUES (p_account, 'grant', p_action::text, p_credits, p_now);
  PERFORM settle_credits(p_account, p_now);
  RETURN (SELECT credits FROM credit_balances WHERE account_id = p_account);
END $$;
