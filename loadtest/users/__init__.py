"""What the people of a Locust run do, one file per kind of person."""
