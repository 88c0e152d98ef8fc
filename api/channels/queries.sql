-- name: open_to
-- $1 viewer, $2 owners of profiles. Those whose channel the viewer may hear, and the second (unix) up to which tokens for
-- it are void.
SELECT owner_id, void_before FROM channels_open_to($1, $2);
