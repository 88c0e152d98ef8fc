"""Processes: the supervisor, the life of one gateway process, and what it says about itself."""
