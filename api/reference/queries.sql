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
