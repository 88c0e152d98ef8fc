"""Pages of the feeds, by the positions that the live stream also uses."""
