-- name: send_high_five
-- $1 sender, $2 the event's id as the sender reads it, $3 a fresh id, $4 share, $5 most in an hour, $6 now.
SELECT outcome, retry_s FROM send_high_five($1, $2, $3, $4, $5, $6);

-- name: tallies
-- $1 ids of events as somebody reads them, at most a page of each feed, $2 who reads, or null.
SELECT e.id,
       (SELECT coalesce(sum(c.high_fives), 0)::int FROM high_five_counts AS c WHERE c.rendition_id = e.id) AS high_fives,
       EXISTS (SELECT FROM high_fives AS h WHERE h.rendition_id = e.id AND h.sender_id = $2) AS mine
  FROM unnest($1::uuid[]) AS e (id);
