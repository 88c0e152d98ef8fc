-- name: page
-- $1 namespace, $2 channel, $3 offset before which the page begins or null, $4 number of events. One row: the epoch,
-- the channel's newest offset, and the events, newest first, null where there is none: their offsets, and their bodies,
-- apart by U+001E, which stands in no JSON text (RFC 7464). A channel that the viewer may not read is one that never
-- had an event. `derived`: the offsets whose body is the owner's, of which the followers' is made.
SELECT epoch, head, offsets, bodies, derived FROM channel_page($1, $2, $3, $4);

-- name: profile_page
-- $1 viewer, $2 user, $3 offset before which the page begins or null, $4 number of rows. One row per event, newest
-- first, and one with null offset where there is none; each says the epoch and the newest offset. No row where
-- the viewer may not read it. `derived`: as above.
SELECT epoch, head, "offset", body, derived FROM profile_feed($1, $2, $3, $4) ORDER BY "offset" DESC NULLS LAST;

-- name: following_page
-- $1 viewer, $2 event before which the page begins or null, $3 number of rows; newest first
SELECT event_id, body, derived FROM following_feed($1, $2, $3) ORDER BY event_id DESC;
