-- name: page
-- A page of one's own feed without asking who reads it, as a statement of its own: what channel_page runs, of migration
-- 0027. $1 namespace, $2 channel, $3 offset before which the page begins or null, $4 number of events.
SELECT i.epoch, coalesce(c.last_offset, 0) AS head, p.offsets, p.bodies, NULL::bigint[] AS derived
  FROM installation AS i
  LEFT JOIN feed_channels AS c ON c.namespace = $1 AND c.channel = $2
  LEFT JOIN LATERAL (
    SELECT array_agg(e."offset") AS offsets, string_agg(e.body::text, E'\x1e') AS bodies
      FROM (
        SELECT f."offset", f.body
          FROM feed_positions AS f
         WHERE f.namespace = $1 AND f.channel = $2
           AND f."offset" < least($3, c.last_offset + 1)
           AND f."offset" >= greatest(least($3, c.last_offset + 1) - $4, c.dropped_through + 1)
         ORDER BY f."offset" DESC
      ) AS e
  ) AS p ON true;
