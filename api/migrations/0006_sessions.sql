-- A session that newer ones push out is ended like any other, so that its sockets, tickets and tokens end with it.
ALTER TABLE sessions
  DROP CONSTRAINT sessions_revoked_reason_check,
  ADD CONSTRAINT sessions_revoked_reason_check
    CHECK (revoked_reason IN ('logout', 'reuse', 'password', 'deleted', 'admin', 'displaced'));
