-- Reference data: written by migrations only, read once by each process.

-- name: upsert_muscles
-- $1 ids, $2 slugs, $3 names, $4 bias weights: arrays of one length.
INSERT INTO muscles AS old (id, slug, name, bias_weight)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::float8[])
ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name, bias_weight = excluded.bias_weight
WHERE (old.slug, old.name, old.bias_weight) IS DISTINCT FROM (excluded.slug, excluded.name, excluded.bias_weight);

-- name: upsert_equipment
-- $1 ids, $2 slugs, $3 names: arrays of one length.
INSERT INTO equipment AS old (id, slug, name)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name
WHERE (old.slug, old.name) IS DISTINCT FROM (excluded.slug, excluded.name);

-- name: upsert_exercises
-- $1 ids, $2 slugs, $3 names, $4 equipment ids: arrays of one length.
INSERT INTO exercises AS old (id, slug, name, equipment_id)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[])
ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name, equipment_id = excluded.equipment_id
WHERE (old.slug, old.name, old.equipment_id) IS DISTINCT FROM (excluded.slug, excluded.name, excluded.equipment_id);

-- name: upsert_activations
-- $1 exercise ids, $2 muscle ids, $3 activations in percent: arrays of one length.
INSERT INTO exercise_muscles AS old (exercise_id, muscle_id, activation)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::float8[])
ON CONFLICT (exercise_id, muscle_id) DO UPDATE SET activation = excluded.activation
WHERE old.activation IS DISTINCT FROM excluded.activation;

-- name: delete_other_activations
-- $1 exercise ids, $2 muscle ids: pairs that stay. Other muscles of these exercises are no longer theirs.
-- An exercise that left the data set keeps its rows: workouts refer to it.
DELETE FROM exercise_muscles AS old
WHERE old.exercise_id = ANY ($1::uuid[])
  AND NOT EXISTS (
    SELECT FROM unnest($1::uuid[], $2::uuid[]) AS kept (exercise_id, muscle_id)
    WHERE (kept.exercise_id, kept.muscle_id) = (old.exercise_id, old.muscle_id)
  );

-- name: all_muscles
SELECT id, slug, name, bias_weight::float8 AS bias_weight FROM muscles;

-- name: all_equipment
SELECT id, slug, name FROM equipment;

-- name: all_exercises
SELECT id, slug, name, equipment_id FROM exercises;

-- name: all_activations
SELECT exercise_id, muscle_id, activation::float8 AS activation FROM exercise_muscles;

-- name: upsert_archetypes
-- $1 ids, $2 slugs, $3 names, $4 descriptions: arrays of one length. $5 and $6: ids and muscles, a row each, in their order.
INSERT INTO archetypes AS old (id, slug, name, description, muscle_ids)
SELECT a.id, a.slug, a.name, a.description,
       ARRAY(SELECT m.muscle_id FROM unnest($5::uuid[], $6::uuid[]) WITH ORDINALITY AS m (id, muscle_id, place)
              WHERE m.id = a.id ORDER BY m.place)
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS a (id, slug, name, description)
ON CONFLICT (id) DO UPDATE
SET slug = excluded.slug, name = excluded.name, description = excluded.description, muscle_ids = excluded.muscle_ids
WHERE (old.slug, old.name, old.description, old.muscle_ids)
      IS DISTINCT FROM (excluded.slug, excluded.name, excluded.description, excluded.muscle_ids);

-- name: upsert_achievements
-- $1 ids, $2 slugs, $3 names, $4 descriptions, $5 metrics, $6 thresholds: arrays of one length. One whose threshold changes
-- is given again to whoever has reached it; nobody loses it.
INSERT INTO achievements AS old (id, slug, name, description, metric, threshold)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[])
ON CONFLICT (id) DO UPDATE
SET slug = excluded.slug, name = excluded.name, description = excluded.description, metric = excluded.metric,
    threshold = excluded.threshold, given = false
WHERE (old.slug, old.name, old.description, old.metric, old.threshold)
      IS DISTINCT FROM (excluded.slug, excluded.name, excluded.description, excluded.metric, excluded.threshold);

-- name: give_achievements
SELECT give_achievements();

-- name: upsert_challenges
-- $1 ids, $2 slugs, $3 names, $4 descriptions, $5 kinds, $6 metrics, $7 parts, $8 slugs of them, $9 targets, $10 rewards:
-- arrays of one length.
INSERT INTO challenges AS old (id, slug, name, description, kind, metric, of_kind, of_slug, target, reward_xp)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::float8[], $10::int[])
ON CONFLICT (id) DO UPDATE
SET (slug, name, description, kind, metric, of_kind, of_slug, target, reward_xp, retired)
  = (excluded.slug, excluded.name, excluded.description, excluded.kind, excluded.metric, excluded.of_kind,
     excluded.of_slug, excluded.target, excluded.reward_xp, false)
WHERE (old.slug, old.name, old.description, old.kind, old.metric, old.of_kind, old.of_slug, old.target, old.reward_xp,
       old.retired)
      IS DISTINCT FROM (excluded.slug, excluded.name, excluded.description, excluded.kind, excluded.metric,
                        excluded.of_kind, excluded.of_slug, excluded.target, excluded.reward_xp, false);

-- name: retire_challenges
-- $1 ids of the pool. Others stay for those who took part.
UPDATE challenges SET retired = true WHERE NOT retired AND id <> ALL ($1::uuid[]);

-- name: all_archetypes
SELECT id, slug, name, description, muscle_ids FROM archetypes;

-- name: all_achievements
SELECT id, slug, name, description, metric, threshold FROM achievements;

-- name: all_challenges
SELECT id, slug, name, description, kind, metric, of_kind AS part, of_slug AS of, target, reward_xp
  FROM challenges WHERE NOT retired;

-- name: edition
-- What differs after each change of the data: how many rows there are, and the sum of what wrote them.
SELECT count(*), sum(by::text::bigint)
  FROM (SELECT xmin FROM muscles UNION ALL SELECT xmin FROM equipment UNION ALL SELECT xmin FROM exercises
        UNION ALL SELECT xmin FROM exercise_muscles UNION ALL SELECT xmin FROM archetypes
        UNION ALL SELECT xmin FROM achievements UNION ALL SELECT xmin FROM challenges) AS rows (by);
