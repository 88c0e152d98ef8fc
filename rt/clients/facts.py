"""What sessions decide by and cannot know by themselves: values, kept fresh by rt/clients/facts_refresh.py. Pure."""

from rt.auth.apps import NO_APPS
from rt.auth.revoked import Revoked
from rt.auth.tokens import Keys

__all__ = ["Facts"]


class Facts:
    """See the module. One per process."""

    __slots__ = (
        "apps",
        "audience",
        "connections_per_user_max",
        "degraded",
        "exercises",
        "issuer",
        "keys",
        "knows_ended",
        "open_namespaces",
        "origins",
        "revoked",
        "settled_s",
        "sockets_by_user",
        "ticket_secrets",
        "unix_offset",
    )

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        open_namespaces: frozenset[str],
        connections_per_user_max: int,
        settled_s: int,
        origins: frozenset[str] = frozenset(),
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self.open_namespaces = open_namespaces
        self.connections_per_user_max = connections_per_user_max
        self.settled_s = settled_s  # an account younger than this does not count in the map's fine resolutions
        self.origins = origins  # whose pages need no widget token
        self.apps = NO_APPS
        self.keys = Keys({})
        self.exercises: frozenset[str] = frozenset()
        self.ticket_secrets: tuple[bytes, ...] = ()  # the first one signs
        self.revoked = Revoked()
        self.knows_ended = False  # whether all channel tokens that were taken back are among them
        self.sockets_by_user: dict[str, int] = {}
        self.degraded = True  # until Redis has been heard of
        self.unix_offset = 0.0  # unix time minus the steady clock
