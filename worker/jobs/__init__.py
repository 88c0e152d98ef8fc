"""What happens by itself: one module a job, run as worker/schedule.py says, exactly once a slot (runner.py)."""
