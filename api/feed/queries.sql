-- name: page
-- $1 namespace, $2 channel, $3 offset before which the page begins or null, $4 number of rows. One row per event,
-- newest first, and one with null offset where there is none; each says the epoch and the channel's newest offset. A
-- channel that the viewer may not read is one that never had an event. `derived`: the body is the owner's, of which the
-- followers' is made.
SELECT epoch, head, "offset", body, derived FROM feed_page($1, $2, $3, $4);

-- name: profile_page
-- $1 viewer, $2 user, $3 offset before which the page begins or null, $4 number of rows. As `page`; no row where the viewer
-- may not read it.
SELECT epoch, head, "offset", body, derived FROM profile_feed($1, $2, $3, $4) ORDER BY "offset" DESC NULLS LAST;

-- name: following_page
-- $1 viewer, $2 event before which the page begins or null, $3 number of rows; newest first
SELECT event_id, body, derived FROM following_feed($1, $2, $3) ORDER BY event_id DESC;
