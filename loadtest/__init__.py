"""Load and benchmarks against loopback addresses; nothing imports this."""
