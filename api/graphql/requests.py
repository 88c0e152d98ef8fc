"""What a request asks for: operations in JSON by POST, one or a batch of them, or one query by GET."""

from collections import Counter
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request

from config.errors import BadInput, MethodNotAllowed, UnsupportedMediaType
from config.limits import BATCH_MAX
from config.serving.answers import is_json

# A page of another site can send none of these without asking first (CORS), as it can a GET or a form.
_PREFLIGHTED: Final = ("apollo-require-preflight", "x-apollo-operation-name")
_OBJECT_OR_NULL: Final = (b"{", b"n")


class Operation(msgspec.Struct):
    """GraphQL over HTTP, the request."""

    query: str
    variables: msgspec.Raw = msgspec.Raw(b"null")
    operationName: str | None = None  # noqa: N815 - the word on the wire
    extensions: dict[str, msgspec.Raw] | None = None


class Asked(NamedTuple):
    """The operations of one request, in order."""

    operations: list[Operation]
    batch: bool = False
    by_get: bool = False


_one: Final = msgspec.json.Decoder(Operation)
_batch: Final = msgspec.json.Decoder(Annotated[list[Operation], msgspec.Meta(min_length=1, max_length=BATCH_MAX)])
_raw: Final = msgspec.json.Decoder(msgspec.Raw)
_extensions: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)


async def read(request: Request) -> Asked:
    """Raises BadInput, MethodNotAllowed or UnsupportedMediaType for what is no well-formed request."""
    if request.method == "GET":
        return _whole(Asked([_queried(request.query_params, request.headers)], by_get=True))
    if request.method != "POST":
        raise MethodNotAllowed("GraphQL is asked by POST, or by GET for a query")
    if not is_json(request.headers.get("content-type")):
        raise UnsupportedMediaType("Content-Type must be application/json, in UTF-8")
    body = await request.body()
    if body.lstrip()[:1] == b"[":
        return _whole(Asked(_decoded(_batch, body), batch=True))
    return _whole(Asked([_decoded(_one, body)]))


def _whole(asked: Asked) -> Asked:
    for operation in asked.operations:
        if bytes(memoryview(operation.variables)[:1]) not in _OBJECT_OR_NULL:
            raise BadInput("variables: an object or null is needed")
    return asked


def _queried(params: QueryParams, headers: Headers) -> Operation:
    if not (is_json(headers.get("content-type")) or any(headers.get(name) for name in _PREFLIGHTED)):
        raise BadInput("By GET a header is needed that no form can send, such as apollo-require-preflight: true")
    if any(count > 1 for count in Counter(name for name, _ in params.multi_items()).values()):
        raise BadInput("A parameter stands twice")  # of which a cache may believe the other
    if "query" not in params:
        raise BadInput("The parameter query is missing")
    return Operation(
        params["query"],
        _decoded(_raw, params.get("variables", "null").encode()),
        params.get("operationName"),
        _decoded(_extensions, params.get("extensions", "null").encode()),
    )


def _decoded(decoder: msgspec.json.Decoder[Any], raw: bytes) -> Any:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise BadInput(f"The request is not GraphQL's: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput("The body is not JSON") from None
