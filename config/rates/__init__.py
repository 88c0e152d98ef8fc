"""How often somebody may ask: limits by address, user and account, counted in Redis."""
