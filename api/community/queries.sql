-- Each function decides by itself what its first argument, the viewer, may see or do.

-- name: profiles
-- $1 viewer or null, $2 users, $3 now
SELECT id, name, xp, level, streak, followers, following, relation, follows_me, details, feed
  FROM profiles_of($1, $2, $3);

-- name: people
-- $1 viewer, $2 user, $3 `followers`, `following` or `requests`, $4 time and $5 person behind which the page begins or
-- nulls, $6 number of rows, $7 now. No row: it may not be read; a row of nulls: it is empty.
SELECT since, id, name, xp, level, streak, followers, following, relation, follows_me, details, feed
  FROM people_of($1, $2, $3, $4, $5, $6, $7);

-- name: named
-- $1 viewer or null, $2 what a word begins with, $3 part of a name and $4 person behind which the page begins or nulls,
-- $5 number of rows, $6 now
SELECT tail, id, name, xp, level, streak, followers, following, relation, follows_me, details, feed
  FROM people_named($1, $2, $3, $4, $5, $6);

-- name: follow
-- $1 viewer, $2 user, $3 most who are followed, $4 most requests, $5 now, $6 id for an event
SELECT outcome, NULL::bigint AS void_before FROM follow_user($1, $2, $3, $4, $5, $6);

-- name: unfollow
-- $1 viewer, $2 user, $3 now
SELECT outcome, void_before FROM unfollow_user($1, $2, $3);

-- name: answer
-- $1 viewer, $2 who asked, $3 whether they may, $4 now
SELECT outcome, NULL::bigint AS void_before FROM answer_follow($1, $2, $3, $4);

-- name: block
-- $1 viewer, $2 user, $3 most who are blocked, $4 now
SELECT outcome, void_before, void_other FROM block_user($1, $2, $3, $4);

-- name: unblock
-- $1 viewer, $2 user, $3 now
SELECT outcome FROM unblock_user($1, $2, $3);

-- name: set_audience
-- $1 viewer, $2 audience, $3 now
SELECT outcome, at, void_before FROM set_audience($1, $2, $3);
