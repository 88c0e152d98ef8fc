"""Tests, against real PostgreSQL and Valkey that the set-up starts."""
