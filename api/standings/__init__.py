"""Who is ahead of whom: leaderboards, and rivals."""
