-- What keeps the books: append-only, balanced, one function that posts.

-- Neither grants nor triggers alone: grants bind the application's role, the trigger binds the owner too.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transactions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Every INSERT of entries is balanced in itself, so every transaction is, at every instant.
CREATE FUNCTION check_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM new_entries GROUP BY transaction_id HAVING sum(amount) <> 0) THEN
    RAISE EXCEPTION 'the entries of a ledger transaction must add up to 0' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER balanced AFTER INSERT ON ledger_entries REFERENCING NEW TABLE AS new_entries
  FOR EACH STATEMENT EXECUTE FUNCTION check_balanced();

-- Moves p_amount (negative: away from the account) between a user's account and the system account p_system, and
-- returns the balance after it. The balance row is locked by the update; a balance below 0 fails its CHECK (23514).
-- The application's role may not write to the books: only this function, which runs as the owner, does. It names the
-- schema of each table instead of setting a search path, which costs a tenth of its time; operators it finds by the
-- caller's path, and the caller may create none anywhere.
CREATE FUNCTION post_credits(
  p_transaction uuid, p_account uuid, p_system text, p_amount bigint, p_reason text, p_workout uuid, p_now timestamptz,
  OUT credits bigint, OUT version bigint
) LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  v_system uuid;
BEGIN
  SELECT a.id INTO STRICT v_system FROM public.accounts AS a WHERE a.slug = p_system;
  UPDATE public.credit_balances AS b
     SET credits = b.credits + p_amount, version = b.version + 1, updated_at = p_now
   WHERE b.account_id = p_account
  RETURNING b.credits, b.version INTO STRICT credits, version;
  INSERT INTO public.ledger_transactions (id, account_id, reason, workout_id, created_at)
  VALUES (p_transaction, p_account, p_reason, p_workout, p_now);
  INSERT INTO public.ledger_entries (transaction_id, account_id, amount, balance_after, version, created_at)
  VALUES (p_transaction, p_account, p_amount, credits, version, p_now),
         (p_transaction, v_system, -p_amount, NULL, NULL, p_now);
END $$;
REVOKE ALL ON FUNCTION post_credits(uuid, uuid, text, bigint, text, uuid, timestamptz) FROM PUBLIC;

-- A new account with its balance; p_welcome credits (0 or more) come from the system account `welcome`.
CREATE FUNCTION open_account(p_account uuid, p_transaction uuid, p_welcome bigint, p_now timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO accounts (id, kind, created_at) VALUES (p_account, 'user', p_now);
  INSERT INTO credit_balances (account_id, credits, version, updated_at) VALUES (p_account, 0, 0, p_now);
  IF p_welcome > 0 THEN
    PERFORM post_credits(p_transaction, p_account, 'welcome', p_welcome, 'welcome', NULL, p_now);
  END IF;
END $$;
REVOKE ALL ON FUNCTION open_account(uuid, uuid, bigint, timestamptz) FROM PUBLIC;
