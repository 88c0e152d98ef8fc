"""The relay from PostgreSQL to Redis, and the jobs."""
