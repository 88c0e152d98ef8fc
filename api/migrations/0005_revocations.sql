-- Sessions that were ended, by time: every few seconds the API looks which of them the gateways may not know yet.
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
