"""Documents as they are executed: parsed, measured and validated once per text and tier, then kept."""

import hashlib
from collections import OrderedDict
from typing import Final, NamedTuple

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)

from api.errors import BadInput
from api.graphql import limits
from config import metrics
from config.limits import (
    GRAPHQL_DOCUMENT_BYTES_MAX,
    GRAPHQL_DOCUMENTS_KEPT,
    GRAPHQL_ERRORS_MAX,
    GRAPHQL_TOKENS_MAX,
)

_HITS: Final = metrics.GRAPHQL_CACHE_HITS.labels("documents")
_COMMENTS_MAX: Final = 200


class Prepared(NamedTuple):
    """A document that may be executed, and its operations by name ("" for one without)."""

    document: DocumentNode
    operations: dict[str, OperationDefinitionNode]
    cost: int

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to run. Raises BadInput where the name is needed or unknown."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name is None:
            raise BadInput("operationName must say which operation of the document to run")
        if name not in self.operations:
            raise BadInput("The document has no operation of this name")
        return self.operations[name]


class InvalidDocumentError(Exception):
    """The document is no valid one for the schema; `errors` say where."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = errors


class Documents:
    """The documents that were accepted, the longest unused dropped first.

    The tier is part of the key since its limits decided. Refused documents are not kept: they are bounded in size,
    and a client that repeats one pays for it alone.
    """

    def __init__(self, schema: GraphQLSchema, *, introspection: bool, kept_max: int = GRAPHQL_DOCUMENTS_KEPT) -> None:
        self._schema = schema
        self._introspection = introspection
        self._kept_max = kept_max
        self._kept: OrderedDict[tuple[bytes, str], Prepared] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def prepare(self, text: str, tier: str) -> Prepared:
        """The document for `tier`. Raises BadInput beyond a limit, InvalidDocumentError where it is not valid."""
        encoded = text.encode()
        if len(encoded) > GRAPHQL_DOCUMENT_BYTES_MAX:
            raise BadInput(f"A document may have at most {GRAPHQL_DOCUMENT_BYTES_MAX} bytes")
        key = (hashlib.sha256(encoded).digest(), tier)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            _HITS.inc()
            return kept
        prepared = self._make(text, tier)
        self._kept[key] = prepared
        if len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)
        return prepared

    def _make(self, text: str, tier: str) -> Prepared:
        try:
            document = parse(text, max_lexical_tokens=GRAPHQL_TOKENS_MAX, max_comments=_COMMENTS_MAX)
        except GraphQLSyntaxError as error:
            raise InvalidDocumentError([error]) from None
        measure = limits.check(document, tier, introspection=self._introspection)
        errors = validate(self._schema, document, max_errors=GRAPHQL_ERRORS_MAX, hide_suggestions=True)
        if errors:
            for found in errors:
                found.message = found.message.partition(" Did you mean ")[0]  # one rule hints all the same
            raise InvalidDocumentError(errors)
        operations = {
            definition.name.value if definition.name else "": definition
            for definition in document.definitions
            if isinstance(definition, OperationDefinitionNode)
        }
        if any(operation.operation is OperationType.SUBSCRIPTION for operation in operations.values()):
            raise BadInput("Subscriptions are served over WebSocket")
        return Prepared(document, operations, measure.cost)
