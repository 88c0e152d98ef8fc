"""The use case of channels: a token for whoever may hear one."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from api.accounts.tokens import Signer
from api.channels import store
from api.channels.rules import ChannelToken, owners_of, times_of
from config.db.database import Database
from config.errors import NotFound
from rt.auth.tokens import Access


class Channels:
    """Use cases over one database."""

    def __init__(self, db: Database, signer: Signer) -> None:
        self._db = db
        self._signer = signer

    async def token(self, viewer: Access, channel: str, now: datetime) -> ChannelToken:
        """A token for one channel. Raises NotFound, alike for one that the viewer may not hear and for none."""
        found = await self.tokens(viewer, [channel], now)
        if not found:
            raise NotFound
        return found[0]

    async def tokens(self, viewer: Access, channels: Sequence[str], now: datetime) -> list[ChannelToken]:
        """Tokens for those of the channels that the viewer may hear, in their order, good while the session goes on.
        Raises BadInput, RateLimited."""
        owners, user = owners_of(channels), UUID(viewer.user)
        open_to = await store.open_to(self._db, user, list(owners)) if owners else {}
        made = []
        for owner, channel in owners.items():
            if owner in open_to:
                times = times_of(now.timestamp(), open_to[owner])
                token = self._signer.channel_token(user, viewer.sid, channel, times.issued_at, times.expires_at)
                made.append(ChannelToken(channel, token, datetime.fromtimestamp(times.expires_at, UTC)))
        return made
