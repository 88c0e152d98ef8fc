-- name: flags
-- $1 keys, those that the code knows
SELECT f.key, f.version, v.enabled, v.percent, v.allowed, v.denied
  FROM flags AS f LEFT JOIN flag_versions AS v ON v.key = f.key AND v.version = f.version
 WHERE f.key = ANY ($1);
