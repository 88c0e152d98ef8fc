-- name: newest_migration
SELECT max(number) FROM schema_migrations;
