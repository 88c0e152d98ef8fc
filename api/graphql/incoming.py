"""A request of GraphQL over HTTP, as its body or its address has it: one operation, or a batch of them.

GET is for queries, and needs a header that a form or an image of another site cannot send: such a page would learn
nothing, but could set the browsers of others to work.
"""

from typing import Annotated, Final, TypeVar

import msgspec
from starlette.datastructures import Headers, QueryParams

from config.errors import BadInput, UnsupportedMediaType
from config.limits import BATCH_MAX
from config.serving.answers import is_json

_PREFLIGHTED: Final = ("apollo-require-preflight", "x-apollo-operation-name")
_PARAMETERS: Final = ("query", "operationName", "variables", "extensions")


class PersistedQuery(msgspec.Struct):
    """Apollo's automatic persisted queries."""

    sha256Hash: str  # noqa: N815 - the word on the wire
    version: int


class Extensions(msgspec.Struct):
    """Those that are read; others are passed over."""

    persistedQuery: PersistedQuery | None = None  # noqa: N815 - the word on the wire


class Asked(msgspec.Struct):
    """The four words of the specification."""

    query: str | None = None
    variables: msgspec.Raw = msgspec.Raw(b"null")
    operationName: str | None = None  # noqa: N815 - the word on the wire
    extensions: Extensions | None = None


_NO_JSON: Final = "The body is not JSON"

Words = TypeVar("Words")

_body = msgspec.json.Decoder(Asked)
_batch = msgspec.json.Decoder(Annotated[list[Asked], msgspec.Meta(min_length=1, max_length=BATCH_MAX)])
_extensions = msgspec.json.Decoder(Extensions | None)


def of_body(headers: Headers, raw: bytes) -> Asked | list[Asked]:
    """Of a POST; a list is a batch. Raises UnsupportedMediaType, BadInput."""
    if not is_json(headers.get("content-type")):
        raise UnsupportedMediaType("Content-Type must be application/json, in UTF-8")
    if raw.lstrip()[:1] == b"[":
        return [_whole(one) for one in _decoded(_batch, raw, _NO_JSON)]
    return _whole(_decoded(_body, raw, _NO_JSON))


def of_address(headers: Headers, parameters: QueryParams) -> Asked:
    """Of a GET. Raises BadInput."""
    if not any(headers.get(name) for name in _PREFLIGHTED) and not is_json(headers.get("content-type")):
        raise BadInput(f"GET needs one of these headers: {', '.join(_PREFLIGHTED)}, content-type: application/json")
    words: dict[str, str | None] = {}
    for name in _PARAMETERS:
        given = parameters.getlist(name)
        if len(given) > 1:
            raise BadInput(f"{name} is given more than once")
        words[name] = given[0] if given else None
    extensions = words["extensions"]
    asked = Asked(
        words["query"],
        msgspec.Raw((words["variables"] or "null").strip().encode()),
        words["operationName"],
        _decoded(_extensions, extensions.encode(), "extensions: not JSON") if extensions else None,
    )
    return _whole(asked)


def _whole(asked: Asked) -> Asked:
    if bytes(memoryview(asked.variables)[:1]) not in (b"{", b"n"):
        raise BadInput("variables: an object or null is needed")
    return asked


def _decoded(decoder: "msgspec.json.Decoder[Words]", raw: bytes, otherwise: str) -> Words:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise BadInput(f"The request is not GraphQL's: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput(otherwise) from None
