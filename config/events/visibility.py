"""Who hears of an event; its owner always does. Pure."""

from enum import Enum


class Visibility(Enum):
    """As in GraphQL and in the outbox."""

    PUBLIC_ANON = "PUBLIC_ANON"  # everybody, without who it was
    PUBLIC_PROFILE = "PUBLIC_PROFILE"  # followers
    PRIVATE = "PRIVATE"
