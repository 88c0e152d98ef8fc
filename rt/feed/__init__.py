"""The last minutes of each feed in Redis: append and publish in one call, recovery by position."""
