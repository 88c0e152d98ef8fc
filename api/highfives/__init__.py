"""High fives: sent once for a rendition of an event, counted by rendition."""
