"""`make demo`: simulated people in the world's cities, on the public interfaces, so that the page lives at once."""
