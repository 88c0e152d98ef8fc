-- name: page
-- $1 namespace, $2 channel, $3 offset before which the page begins or null, $4 number of rows. One row per event,
-- newest first, and one with null offset where there is none; each says the epoch and the channel's newest offset. A
-- channel that the viewer may not read is one that never had an event. `derived`: the body is the owner's, of which the
-- followers' is made.
SELECT epoch, head, "offset", body, derived FROM feed_page($1, $2, $3, $4);
