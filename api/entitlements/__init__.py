"""What a user may do, and why."""
