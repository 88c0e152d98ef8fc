"""Programs of other apps on this server: a backend each, and the clients of its users."""
