"""Challenges: three of the day for each user, some of the week to join; workouts move them."""
