-- name: page
-- A page of a feed without asking who reads it, as a statement of its own: what feed_page runs, of migration 0013.
-- $1 namespace, $2 channel, $3 offset before which the page begins or null, $4 number of rows.
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
