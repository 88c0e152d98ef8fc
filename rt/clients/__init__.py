"""Clients: what one may do (sessions, pure), the object of a socket that does it, and what all of a process share."""
