"""Documents that subscribe: held to the limits of those that are posted, and read for what they want.

A document that is not known yet costs up to 20 ms. So all of them together get DOCUMENTS_SHARE of the process; whoever
comes when that is spent is told to come again. Those that are known cost a look.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from time import monotonic, thread_time
from typing import Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    build_schema,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import get_argument_values, get_variable_values
from msgspec import Raw

import rt.wire
from config.bucket import refilled
from config.errors import ApiError, BadInput, RateLimited, Unauthenticated
from config.graphql import variables
from config.graphql.documents import Documents, InvalidDocumentError, Prepared, Served
from config.graphql.limits import Measure
from config.limits import GRAPHQL_ERROR_CHARS_MAX, GRAPHQL_ERRORS_MAX
from rt.graphql.selection import Field, root_of

__all__ = ["Subscriptions", "Wanted", "subscriptions"]

DOCUMENTS_SHARE: Final = 0.1  # of the process for documents that are not known
DOCUMENTS_BURST_S: Final = 0.5  # of that time may be spent at once
DOCUMENTS_BYTES_MAX: Final = 8 * 1024 * 1024  # of those that are known, in one process
SUBSCRIPTION_VARIABLES_MAX: Final = 100  # values; a viewport has five

_SDL: Final = Path(rt.wire.__file__).parent / "schema.graphql"
_SERVED: Final = Served(
    frozenset({OperationType.SUBSCRIPTION}), "Only subscriptions are served over WebSocket; others by HTTP"
)


Fragments = dict[str, FragmentDetails]


class Wanted(NamedTuple):
    """What an operation subscribes to: a root field with its arguments, and what of it is told."""

    field: Field
    arguments: dict[str, Any]


class Subscriptions:
    """See the module. One per process."""

    def __init__(self) -> None:
        self._schema = build_schema(_SDL.read_text("utf-8"), no_location=True)
        self._documents = Documents(
            self._schema, _fragments, introspection=False, served=_SERVED, bytes_max=DOCUMENTS_BYTES_MAX
        )
        self._left_s = DOCUMENTS_BURST_S
        self._looked_at = monotonic()

    def knows(self, query: str, tier: str) -> bool:
        """Whether this document costs only a look."""
        return self._documents.knows(query, tier)

    def want(self, query: str, operation_name: str | None, raw: Raw, tier: str, *, signed_in: bool) -> Wanted:
        """What the document wants. Raises ApiError: it is wrong, or RateLimited where too many new ones came."""
        known = self._documents.knows(query, tier)
        now, began = monotonic(), thread_time()
        self._left_s = refilled(self._left_s, now - self._looked_at, DOCUMENTS_SHARE, DOCUMENTS_BURST_S)
        self._looked_at = now
        if not known and self._left_s <= 0.0:
            raise RateLimited("Too many documents that nobody has brought before")
        try:
            return self._want(self._documents.prepare(query, tier), operation_name, raw, signed_in=signed_in)
        except InvalidDocumentError as invalid:
            raise _refusal(invalid.errors) from None
        finally:
            if not known:
                self._left_s -= thread_time() - began

    def _want(self, prepared: Prepared[Fragments], operation_name: str | None, raw: Raw, *, signed_in: bool) -> Wanted:
        operation = prepared.operation(operation_name or None)
        if not signed_in and prepared.signed_in[operation.name.value if operation.name else ""]:
            raise Unauthenticated
        given, _ = variables.read(raw, SUBSCRIPTION_VARIABLES_MAX)
        values = get_variable_values(
            self._schema,
            operation.variable_definitions or (),
            given or {},
            max_errors=GRAPHQL_ERRORS_MAX,
            hide_suggestions=True,
        )
        if isinstance(values, list):
            raise _refusal(values)
        fragments = prepared.runs[operation.name.value if operation.name else ""]
        root = root_of(self._schema, fragments, operation, values)
        definition = self._schema.subscription_type.fields[root.field.name]  # type: ignore[union-attr]  # root_of looked
        try:
            arguments = get_argument_values(definition, root.node, values, hide_suggestions=True)
        except GraphQLError as error:
            raise _refusal([error]) from None
        return Wanted(root.field, arguments)


def _fragments(
    _schema: GraphQLSchema, document: DocumentNode, operations: Mapping[str, OperationDefinitionNode], _measure: Measure
) -> tuple[dict[str, Fragments], int]:
    fragments = {
        one.name.value: FragmentDetails(one) for one in document.definitions if isinstance(one, FragmentDefinitionNode)
    }
    return dict.fromkeys(operations, fragments), 0


@cache
def subscriptions() -> Subscriptions:
    """The process's own. Made before the fork, so that the schema lies in memory that all share."""
    return Subscriptions()


def _refusal(errors: list[GraphQLError]) -> ApiError:
    return BadInput(errors[0].message[:GRAPHQL_ERROR_CHARS_MAX])
