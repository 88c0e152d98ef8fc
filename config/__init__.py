"""What every process shares: settings, limits, the run of a process, and the clients of PostgreSQL and Redis."""
