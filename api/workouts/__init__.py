"""Workouts: checked, measured in training units, logged in one transaction."""
