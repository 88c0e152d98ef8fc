"""Channel tokens: by which a gateway lets somebody hear a channel that is not open."""
