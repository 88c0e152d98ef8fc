-- name: leaderboard_page
-- $1 viewer or null, $2 board, $3 period, $4 place behind which the page begins, $5 number of rows. Beside the page one
-- row with the viewer's own rank, whose place is null.
SELECT place, rank, score, user_id, refreshed_at FROM leaderboard_page($1, $2, $3, $4, $5);

-- name: add_rival
-- $1 user, $2 rival, $3 now, $4 how many a user may have
SELECT add_rival($1, $2, $3, $4);

-- name: remove_rival
-- $1 user, $2 rival
SELECT remove_rival($1, $2);

-- name: rivals_of
-- $1 user
SELECT rival_id, since, my_score, their_score FROM rivals_of($1);
