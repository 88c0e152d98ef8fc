"""Sockets: bytes and frames, handshakes, who is read when, what waits to be sent. They know no channel and no name."""
