"""Tokens, tickets and revocations: shared with the API. Pure."""
