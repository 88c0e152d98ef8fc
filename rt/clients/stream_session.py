"""The session of a stream: all that it ever says is in its request. Pure.

What it may read is decided as for a socket that says `connect`, then `subscribe`. It gives no sign of life, so it is in
no presence, and is not asked for one.
"""

import math
from typing import ClassVar

from config.limits import STREAM_COMMENT_S
from rt.auth.tokens import Access
from rt.clients import rights
from rt.clients.effects import NOTHING, Close, Effects, Expel
from rt.clients.facts import Facts
from rt.clients.session import Session
from rt.wire.channels import ChannelKind, parse
from rt.wire.closes import Closing
from rt.wire.inbound import Connect, MessageId, Subscribe
from rt.wire.sse_request import Asked

__all__ = ["StreamSession"]


class StreamSession(Session):
    """See the module. Where it shows a channel token alone, that says who it is."""

    __slots__ = ("by_channel_token",)

    silence_s: ClassVar = ((STREAM_COMMENT_S, math.inf),) * 2

    def __init__(
        self, session_id: str, asked: Asked, facts: Facts, now: float, heard_at: float, origin: str = ""
    ) -> None:
        super().__init__(session_id, now, heard_at, origin)
        channel = parse(asked.channel)
        opens = channel is not None and (
            channel.kind is ChannelKind.PROFILE
            or (channel.kind is ChannelKind.APP and channel.namespace not in facts.open_namespaces)
        )
        self.by_channel_token = opens and asked.access_token is None and asked.channel_token is not None

    def says(self, asked: Asked) -> tuple[Connect, Subscribe]:
        """The request as the messages of a socket."""
        shown = asked.channel_token if self.by_channel_token else asked.access_token
        return Connect(token=shown), Subscribe(channel=asked.channel, since=asked.since, token=asked.channel_token)

    def on_clock(self, awake: float, unix: float) -> Effects:
        """As of a socket; but with its one channel it ends."""
        effects = super().on_clock(awake, unix)
        return tuple(effect for effect in effects if isinstance(effect, Expel)) or effects

    def on_audience(self, facts: Facts) -> Effects:  # noqa: ARG002 - of presence, in which it is not
        """Nobody is told of it."""
        return NOTHING

    def _connect(self, message: Connect, facts: Facts, now: float) -> Effects:
        effects = super()._connect(message, facts, now)
        if self.by_channel_token and effects == (Close(Closing.BAD_TOKEN),):  # as where a socket shows such a one
            return self.error(None, "FORBIDDEN", "this channel may not be joined", now)
        return effects

    def _identify(self, token: str, facts: Facts, unix: float) -> Access | None:
        if not self.by_channel_token:
            return super()._identify(token, facts, unix)
        grant = rights.granted(token, facts, unix)
        return Access(
            user=grant.user,
            sid=grant.signed_by or grant.sid,
            roles=(),
            tier="free",
            expires_at=grant.expires_at,
            issued_at=grant.issued_at,
            presence_audience="nobody",
            account_created_at=grant.issued_at,
        )

    def _welcome(self, message_id: MessageId, facts: Facts, unix: float) -> bytes:  # noqa: ARG002 - no answer has it
        return b""
