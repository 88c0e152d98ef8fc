-- Who may see and write which row: row level security, in one place. Applied at each `make migrate` after the grants.
-- `viewer()` is who asks (0012_community.sql). The owner's functions and the worker, each a role, see all; what they may
-- do at all the grants say. A table with a user's rows that is not listed fails tests/integration/test_row_security.py.

--   follows | viewer() IN (follower_id, followee_id)
--   blocks | blocker_id = viewer()
--   follow_counts | user_id = viewer()
--   follow_notices | follower_id = viewer()
--   ended_reads | none: ids alone, of the last minutes; read by whoever tells the gateways, dropped by the worker
--   name_tails | none: parts of the names of those whom everybody may find; read by a function alone
