"""PostgreSQL as the API and the worker use it: pool, transactions with retries, named statements. No gateway has it."""
