"""Documents as they are executed: parsed, measured and validated once per text and tier, then kept.

What is cheap and refuses most comes first: bytes, lines and tokens, then the measure (limits.py), then whether fields
can be merged (merging.py), then the library's rules, whose work the ones before have bounded.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    parse,
    specified_rules,
    validate,
)

from config.errors import BadInput
from config.graphql import hints, limits
from config.graphql.hints import Policy
from config.graphql.limits import Measure
from config.graphql.merging import Merging
from config.graphql.shape import Shape, read
from config.limits import GRAPHQL_DOCUMENT_BYTES_MAX, GRAPHQL_DOCUMENT_ERRORS_MAX, GRAPHQL_LINES_MAX, GRAPHQL_TOKENS_MAX

GRAPHQL_DOCUMENTS_KEPT: Final = 1_000  # parsed and validated, in one process ...
GRAPHQL_DOCUMENTS_BYTES_MAX: Final = 64 * 1024 * 1024  # ... and in memory: 50 to 400 KB each

_COMMENTS_MAX: Final = 200
# A document in memory: what tracemalloc says of one token with the nodes that it makes, and of the text.
_BYTES_PER_TOKEN: Final = 800
_BYTES_PER_CHARACTER: Final = 4
RULES: Final = tuple(rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule)  # merging.py


Run = TypeVar("Run")
# Of a document that was accepted, with its measure: what runs each of its operations, and bytes of that in memory.
Runs = Callable[
    [GraphQLSchema, DocumentNode, Mapping[str, OperationDefinitionNode], Measure], tuple[dict[str, Run], int]
]


class Served(NamedTuple):
    """Which operations are served where these documents come in, and what whoever brings another one is told."""

    operations: frozenset[OperationType]
    otherwise: str


HTTP: Final = Served(
    frozenset({OperationType.QUERY, OperationType.MUTATION}), "Subscriptions are served over WebSocket"
)


class Root(NamedTuple):
    """One field of an operation's answer, which only whoever is signed in may ask for."""

    name: str
    node: FieldNode
    nullable: bool


class Prepared(NamedTuple, Generic[Run]):
    """A document that may be executed, and its operations by name ("" for one without).

    `runs`: what runs each of them. `signed_in`: the root fields of each operation that has nothing for whoever is not
    signed in; `policies`: how long its answer may be kept; `mutations`: how many root fields it changes something by,
    by each alias. `digest`: of the text. `size`: bytes of it in memory, with all plans that it may have.
    """

    operations: dict[str, OperationDefinitionNode]
    runs: dict[str, Run]
    signed_in: dict[str, tuple[Root, ...]]
    policies: dict[str, Policy]
    mutations: dict[str, int]
    digest: bytes
    cost: int
    aliases: int
    size: int

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


class Documents(Generic[Run]):
    """The documents that were accepted, the longest unused dropped first; bounded in number and in memory.

    The tier is part of the key since its limits decided. Refused documents are not kept: they are bounded in size,
    and a client that repeats one pays for it alone. `hit` is called for each that was kept.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        runs: Runs[Run],
        *,
        introspection: bool,
        served: Served = HTTP,
        hit: Callable[[], object] = lambda: None,
        kept_max: int = GRAPHQL_DOCUMENTS_KEPT,
        bytes_max: int = GRAPHQL_DOCUMENTS_BYTES_MAX,
    ) -> None:
        self.size = 0  # bytes of memory
        self._schema = schema
        self._runs = runs
        self._shape = read(schema)
        self._hints = hints.read(schema)
        self._introspection = introspection
        self._served = served
        self._hit = hit
        self._kept_max = kept_max
        self._bytes_max = bytes_max
        self._kept: OrderedDict[tuple[bytes, str], Prepared[Run]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def knows(self, text: str, tier: str) -> bool:
        """Whether to prepare this one costs next to nothing."""
        return _key(text.encode(), tier) in self._kept

    def prepare(self, text: str, tier: str) -> Prepared[Run]:
        """The document for `tier`. Raises BadInput beyond a limit, InvalidDocumentError where it is not valid."""
        encoded = text.encode()
        if len(encoded) > GRAPHQL_DOCUMENT_BYTES_MAX:
            raise BadInput(f"A document may have at most {GRAPHQL_DOCUMENT_BYTES_MAX} bytes")
        if text.count("\n") + text.count("\r") > GRAPHQL_LINES_MAX:
            raise BadInput(f"A document may have at most {GRAPHQL_LINES_MAX} lines")
        key = _key(encoded, tier)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            self._hit()
            return kept
        try:
            prepared = self._make(text, key[0], tier)
        except RecursionError:
            raise BadInput("The document is nested too deeply") from None
        self._kept[key] = prepared
        self.size += prepared.size
        while len(self._kept) > self._kept_max or self.size > self._bytes_max:
            self.size -= self._kept.popitem(last=False)[1].size
        return prepared

    def _make(self, text: str, digest: bytes, tier: str) -> Prepared[Run]:
        try:
            document = parse(text, max_lexical_tokens=GRAPHQL_TOKENS_MAX, max_comments=_COMMENTS_MAX)
        except GraphQLSyntaxError as error:
            raise InvalidDocumentError([error]) from None
        operations = {
            definition.name.value if definition.name else "": definition
            for definition in document.definitions
            if isinstance(definition, OperationDefinitionNode)
        }
        if any(operation.operation not in self._served.operations for operation in operations.values()):
            raise BadInput(self._served.otherwise)
        measure = limits.check(document, tier, self._shape, introspection=self._introspection)
        merging = Merging(document)
        conflict = merging.conflict()
        if conflict is not None:
            message = f"Fields of one name conflict because {conflict.reason}; aliases keep them apart"
            raise InvalidDocumentError([GraphQLError(message, [conflict.first, conflict.other])])
        errors = validate(self._schema, document, RULES, max_errors=GRAPHQL_DOCUMENT_ERRORS_MAX, hide_suggestions=True)
        if errors:
            for found in errors:
                found.message = found.message.partition(" Did you mean ")[0]  # one rule hints all the same
            raise InvalidDocumentError(errors)
        signed_in = {name: _signed_in(operation, merging, self._shape) for name, operation in operations.items()}
        policies = {name: hints.policy(document, operation, self._hints) for name, operation in operations.items()}
        mutations = {
            name: len(merging.fields([one.selection_set])) if one.operation is OperationType.MUTATION else 0
            for name, one in operations.items()
        }
        runs, more = self._runs(self._schema, document, operations, measure)
        size = _size(document, text) + more
        return Prepared(operations, runs, signed_in, policies, mutations, digest, measure.cost, measure.aliases, size)


def _key(encoded: bytes, tier: str) -> tuple[bytes, str]:
    return hashlib.sha256(encoded).digest(), tier


def _signed_in(operation: OperationDefinitionNode, merging: Merging, shape: Shape) -> tuple[Root, ...]:
    """The fields of an operation, if each of them is for whoever is signed in; none where one is not."""
    roots = []
    for name, nodes in merging.fields([operation.selection_set]).items():
        found = shape.get((operation.operation.value.capitalize(), nodes[0].name.value))
        if found is None or not found.signed_in:
            return ()
        roots.append(Root(name, nodes[0], found.nullable))
    return tuple(roots)


def _size(document: DocumentNode, text: str) -> int:
    tokens = 0
    token = document.loc.start_token if document.loc else None
    while token is not None:
        tokens += 1
        token = token.next
    return tokens * _BYTES_PER_TOKEN + len(text) * _BYTES_PER_CHARACTER
