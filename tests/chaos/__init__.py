"""Long fault runs over real processes, counted and printed: `make chaos`."""
