-- A page of a channel in one row, as api/feed/queries.sql says: a function's rows are stored, and copied again. One's
-- own is asked nothing, has all its bodies, and lies in one table: it does without the partitions of the other, of
-- which each costs its locks. Of any other is asked once whether the viewer may read it, where a policy would ask for
-- each row; a follower's page is made of rows of the owner's, and a stream's rows of an older release lie in
-- feed_positions. Offsets are dense down to what was dropped: both ends of the page are known, so that no plan reads
-- more than the page (least ignores nulls). It names the schema of each table, as post_credits does.
-- feed_page is as API processes of the release before call it.
CREATE FUNCTION channel_page(p_namespace text, p_channel text, p_before bigint, p_rows integer)
RETURNS TABLE (epoch text, head bigint, offsets bigint[], bodies text, derived bigint[])
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 AS $$
DECLARE
  v_channel text;
  v_owner text;
BEGIN
  IF p_channel = 'user:' || public.viewer() THEN
    RETURN QUERY
    SELECT i.epoch, coalesce(c.last_offset, 0), p.offsets, p.bodies, NULL::bigint[]
      FROM public.installation AS i
      LEFT JOIN public.feed_channels AS c ON c.namespace = p_namespace AND c.channel = p_channel
      LEFT JOIN LATERAL (
        SELECT array_agg(e."offset") AS offsets, string_agg(e.body::text, E'\x1e') AS bodies
          FROM (
            SELECT f."offset", f.body
              FROM public.feed_positions AS f
             WHERE f.namespace = p_namespace AND f.channel = p_channel
               AND f."offset" < least(p_before, c.last_offset + 1)
               AND f."offset" >= greatest(least(p_before, c.last_offset + 1) - p_rows, c.dropped_through + 1)
             ORDER BY f."offset" DESC
          ) AS e
      ) AS p ON true;
    RETURN;
  END IF;
  IF public.may_read_channel(p_channel) THEN
    v_channel := p_channel;
    v_owner := 'user:' || substr(p_channel, 9);  -- of a profile's
  END IF;
  RETURN QUERY
  SELECT i.epoch, coalesce(c.last_offset, 0), p.offsets, p.bodies, p.derived
    FROM public.installation AS i
    LEFT JOIN public.feed_channels AS c ON c.namespace = p_namespace AND c.channel = v_channel
    LEFT JOIN LATERAL (
      SELECT array_agg(e."offset") AS offsets, string_agg(e.body::text, E'\x1e') AS bodies,
             array_agg(e."offset") FILTER (WHERE e.derived) AS derived
        FROM (
          SELECT f."offset", coalesce(f.body, o.body) AS body, f.source IS NOT NULL AS derived
            FROM public.feed_positions AS f
            LEFT JOIN public.feed_positions AS o ON o.namespace = p_namespace AND o.channel = v_owner
                                                AND o."offset" = f.source
           WHERE f.namespace = p_namespace AND f.channel = v_channel
             AND f."offset" < least(p_before, c.last_offset + 1)
             AND f."offset" >= greatest(least(p_before, c.last_offset + 1) - p_rows, c.dropped_through + 1)
          UNION ALL
          SELECT s."offset", s.body, false
            FROM public.stream_positions AS s
           WHERE s.namespace = p_namespace AND s.channel = v_channel
             AND s."offset" < least(p_before, c.last_offset + 1)
             AND s."offset" >= greatest(least(p_before, c.last_offset + 1) - p_rows, c.dropped_through + 1)
           ORDER BY 1 DESC
        ) AS e
    ) AS p ON true;
END $$;
REVOKE ALL ON FUNCTION channel_page(text, text, bigint, integer) FROM PUBLIC;
