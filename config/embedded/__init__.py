"""PostgreSQL and Valkey from PyPI wheels, for `make run`, `make stores` and the tests."""
