"""What people may ask of their data: all of it in one answer, and its end."""
