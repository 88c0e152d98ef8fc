"""In which form GraphQL answers, by the Accept header ("GraphQL over HTTP", draft of 2025). Pure."""

from collections.abc import Iterator
from typing import Final, NamedTuple

_OURS: Final = "application/graphql-response+json"
_OLD: Final = "application/json"
_UTF8: Final = "; charset=utf-8"


class Form(NamedTuple):
    """A media type, and the status of a well-formed request whose document or variables are refused."""

    media_type: str
    refused: int


NEW: Final = Form(_OURS + _UTF8, 400)
OLD: Final = Form(_OLD + _UTF8, 200)  # its clients take other statuses for those of somebody in between
NONE_NAMED: Final = Form(_OLD + _UTF8, 400)  # the draft's default since 2025, under the type that every client reads


def form_of(accept: str | None) -> Form:
    """The form of highest quality that is named, the new one of two that are equal; what is named by a wildcard alone,
    and what nobody here can give, is answered as to a client that says nothing."""
    named = {kind: quality for kind, quality in _qualities(accept or "") if kind in (_OURS, _OLD) and quality > 0}
    if not named:
        return NONE_NAMED
    return NEW if named.get(_OURS, 0.0) >= named.get(_OLD, 0.0) else OLD


def _qualities(accept: str) -> Iterator[tuple[str, float]]:
    for entry in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((value for name, _, value in (one.partition("=") for one in parameters) if name == "q"), "1")
        try:
            yield kind, float(quality)
        except ValueError:
            yield kind, 0.0
