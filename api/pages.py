"""Pages of lists that grow: newest first, by a key that each row has, as a Relay connection. Pure.

A cursor is opaque to clients: the base64url of the key's parts. It holds no secret and grants nothing; a page is
always read with the reader's own rights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from config import base64url
from config.errors import BadInput
from config.limits import PAGE_DEFAULT, PAGE_MAX

Node = TypeVar("Node")

_CURSOR_CHARS_MAX = 200
_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class Edge(Generic[Node]):
    """One row and where it stands."""

    cursor: str
    node: Node


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Where the next page begins."""

    end_cursor: str | None
    has_next_page: bool


@dataclass(frozen=True, slots=True)
class Page(Generic[Node]):
    """One page of a connection."""

    edges: tuple[Edge[Node], ...]
    page_info: PageInfo


def page_size(first: int | None) -> int:
    """How many rows a page has. Raises BadInput outside 1-100."""
    if first is None:
        return PAGE_DEFAULT
    if not 1 <= first <= PAGE_MAX:
        raise BadInput(f"first: between 1 and {PAGE_MAX}", "first")
    return first


def make_page(rows: Sequence[Node], size: int, key: Callable[[Node], Sequence[object]]) -> Page[Node]:
    """A page of `rows`, which were read with a limit of `size` + 1; `key` gives the parts of a row's cursor."""
    edges = tuple(Edge(encode_cursor(*key(row)), row) for row in rows[:size])
    return Page(edges, PageInfo(edges[-1].cursor if edges else None, len(rows) > size))


def encode_cursor(*parts: object) -> str:
    """The cursor of a key; no part holds a |."""
    text = _SEPARATOR.join(map(str, parts))
    return base64url.encode(text.encode())


def decode_cursor(cursor: str, parts: int) -> list[str]:
    """The parts of a key. Raises BadInput for what this server never gave out."""
    try:
        if len(cursor) > _CURSOR_CHARS_MAX:
            raise bad_cursor()
        found = base64url.decode(cursor).decode().split(_SEPARATOR)
    except ValueError:
        raise bad_cursor() from None
    if len(found) != parts:
        raise bad_cursor()
    return found


def bad_cursor() -> BadInput:
    """The error for a cursor that is none."""
    return BadInput("after: not a cursor of this list", "after")
