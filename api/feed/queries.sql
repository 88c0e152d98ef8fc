-- name: page
-- $1 namespace, $2 channel, $3 offset before which the page begins or null, $4 number of rows. One row per event,
-- newest first, and one with null offset where there is none; each says the epoch and the channel's newest offset.
-- `derived`: the body is the owner's, of which the followers' is made. A stream's rows of the release before lie in
-- feed_positions. Offsets are dense down to what was dropped: both ends of the page are known, so that no plan reads more
-- than the page (least ignores nulls).
SELECT i.epoch, coalesce(c.last_offset, 0) AS head, p."offset", p.body, p.derived
  FROM installation AS i
  LEFT JOIN feed_channels AS c ON c.namespace = $1 AND c.channel = $2
  LEFT JOIN LATERAL (
    SELECT f."offset", coalesce(f.body, o.body) AS body, f.source IS NOT NULL AS derived
      FROM feed_positions AS f
      LEFT JOIN feed_positions AS o ON o.namespace = f.namespace AND o.channel = 'user:' || substr(f.channel, 9)
                                   AND o."offset" = f.source
     WHERE f.namespace = $1 AND f.channel = $2 AND f."offset" < least($3, c.last_offset + 1)
       AND f."offset" >= greatest(least($3, c.last_offset + 1) - $4, c.dropped_through + 1)
    UNION ALL
    SELECT s."offset", s.body, false
      FROM stream_positions AS s
     WHERE s.namespace = $1 AND s.channel = $2 AND s."offset" < least($3, c.last_offset + 1)
       AND s."offset" >= greatest(least($3, c.last_offset + 1) - $4, c.dropped_through + 1)
  ) AS p ON true
 ORDER BY p."offset" DESC NULLS LAST;

-- name: profile_page
-- $1 viewer, $2 user, $3 offset before which the page begins or null, $4 number of rows. As `page`; no row where the viewer
-- may not read it.
SELECT epoch, head, "offset", body, derived FROM profile_feed($1, $2, $3, $4) ORDER BY "offset" DESC NULLS LAST;

-- name: following_page
-- $1 viewer, $2 event before which the page begins or null, $3 number of rows; newest first
SELECT event_id, body, derived FROM following_feed($1, $2, $3) ORDER BY event_id DESC;
