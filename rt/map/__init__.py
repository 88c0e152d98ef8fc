"""The map: geometry, what it may tell, how it is made of counts, and the tiles that somebody looks at."""
