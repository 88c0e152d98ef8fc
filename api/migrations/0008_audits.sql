-- What the auditor has seen. Windows of time follow each other without a hole: each says what was counted in it, so
-- that rows which came or went below the newest one are found. An audit of everything puts one in place of all.
CREATE TABLE audit_windows (
  through       timestamptz PRIMARY KEY,  -- of the times in the ids; what is older belongs to this window or one before
  began         timestamptz,              -- `through` of the one before; null = at the beginning
  workouts      bigint NOT NULL,
  transactions  bigint NOT NULL,
  entries       bigint NOT NULL,
  credits       bigint NOT NULL,          -- moved, in either direction
  events        bigint NOT NULL,
  CHECK (began < through)
);
CREATE TABLE audits (
  kind      text PRIMARY KEY CHECK (kind IN ('window', 'whole')),
  at        timestamptz NOT NULL,  -- of the newest audit of this kind
  through   timestamptz NOT NULL,
  findings  integer NOT NULL CHECK (findings >= 0),
  took_s    double precision NOT NULL
);
