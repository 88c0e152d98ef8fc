"""Other apps of this server: their namespaces, server keys, and what they publish."""
