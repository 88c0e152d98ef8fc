"""What the clients of other apps hear: events of one channel that an app published together. Pure.

A bundle is a row of the outbox, {"app": namespace, "channel": name, "at": time, "user": {...}, "ids": [id, ...],
"bodies": [JSON text, ...]}, which `publish_app_events` (api/migrations/0024_apps.sql) makes. The app has written each
body for everybody who may join its channel, so there is one rendition.
"""

from datetime import datetime
from typing import Final
from uuid import NAMESPACE_OID, uuid5

import msgspec

from rt.wire.channels import ChannelKind, parse_stored
from worker.translate import EventUnreadableError, Rendition

BEGINS: Final = '{"app"'  # the text of a bundle does, and that of a domain event does not


class _Bundle(msgspec.Struct):
    app: str
    channel: str
    at: datetime
    ids: list[str]
    bodies: list[str]


_decoder: Final = msgspec.json.Decoder(_Bundle)


def renditions_of_bundle(text: str) -> list[Rendition]:
    """One rendition an event, in the order of publication. Raises EventUnreadableError.

    What PostgreSQL has as an event's id is a UUID, of the app's own id by its name (RFC 9562, 5.5).
    """
    try:
        bundle = _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise EventUnreadableError(f"bundle {type(error).__name__}") from None
    channel = parse_stored(bundle.app, bundle.channel)
    if channel is None or channel.kind is not ChannelKind.APP or len(bundle.ids) != len(bundle.bodies):
        raise EventUnreadableError("channel or bodies of a bundle")
    return [
        Rendition(channel, uuid5(NAMESPACE_OID, f"{bundle.app}:{one}"), bundle.at, body.encode())
        for one, body in zip(bundle.ids, bundle.bodies, strict=True)
    ]
