"""What a user has reached by training: XP, level, streak, achievements; and the time zone in which dates fall."""
