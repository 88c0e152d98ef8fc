-- name: page
-- $1 namespace, $2 channel, $3 offset before which the page begins or null, $4 number of rows. One row per event,
-- newest first, and one with null offset where there is none; each says the epoch and the channel's newest offset.
-- Offsets are dense: both ends of the page are known, so that no plan reads more than the page (least ignores nulls).
SELECT i.epoch, coalesce(c.last_offset, 0) AS head, p."offset", p.body
  FROM installation AS i
  LEFT JOIN feed_channels AS c ON c.namespace = $1 AND c.channel = $2
  LEFT JOIN LATERAL (
    SELECT "offset", body FROM feed_positions
     WHERE namespace = $1 AND channel = $2 AND "offset" < least($3, c.last_offset + 1)
       AND "offset" >= least($3, c.last_offset + 1) - $4
     ORDER BY "offset" DESC
     LIMIT $4
  ) AS p ON true
 ORDER BY p."offset" DESC NULLS LAST;
