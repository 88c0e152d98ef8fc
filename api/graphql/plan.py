"""An operation compiled to Python that turns resolved root fields straight into their part of the answer. Pure.

A plan knows the answer without an error alone. Whatever else it meets (a null where none may be, a value that needs the
library's words, an exception of a reader) it raises, and graphql-core completes the same values (operation.py). What is
selected where says graphql-core too, by its own `collect_fields`.

Each selection becomes a function of a value and of the Projection that it is part of:

    def c1(x, m):
        if x is None or x is Undefined or isinstance(x, Exception): surprise()
        v1 = x.slug
        if type(v1) is not str: v1 = n1(v1)
        v2 = x.muscles
        v2 = many(v2, c2, m, 4)
        v3 = {'slug': v1, 'muscles': v2}
        m.fields_left -= 2
        m.bytes_left -= 19 + len(v1)
        return v3

A leaf passes as it is where it is of the kind that its type says, else through the type's own coercion. Fields and
bytes are counted as MeteredExecutor counts them. A relation is asked for all values of a level at once, so its place in
the answer is filled later (`m.asked`). In the text are only response names, quoted, and names that the schema has.
"""

from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Any, Final, NamedTuple
from uuid import UUID

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    GraphQLError,
    GraphQLField,
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    IntValueNode,
    NullValueNode,
    OperationDefinitionNode,
    StringValueNode,
    Undefined,
    get_argument_values,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetailsList, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues

from api.graphql.execution import NUMBER_BYTES, PUNCTUATION_BYTES
from api.graphql.leaves import leaf_of, surprise
from api.graphql.projection import Complete, Site, many
from api.graphql.ways import Attribute, Item, Read, Relation, Root
from config.limits import PAGE_DEFAULT

_TYPENAME: Final = "__typename"
_UUID_CHARS: Final = 36
_CONSTANT: Final = (BooleanValueNode, EnumValueNode, FloatValueNode, IntValueNode, NullValueNode, StringValueNode)
_UNCHANGING: Final = frozenset({str, int, float, bool, type(None)})


class UnsupportedError(Exception):
    """There is no plan for this operation; `reason` as graphql_plan_fallbacks_total says it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RootPlan(NamedTuple):
    """One field of the root: how it is resolved, and what makes its part of the answer. `arguments`: where they are
    always the same."""

    name: str
    field: GraphQLField
    node: FieldNode
    arguments: Mapping[str, Any] | None
    resolve: Callable[..., Any]
    required: bool
    complete: Complete
    sites: tuple[Site, ...]


class Plan(NamedTuple):
    """An operation: the response names of its root fields in their order, each with what is always so or None, and
    the fields that are resolved. `width`: what the names take in bytes. `source`: the Python, to read."""

    names: Mapping[str, str | None]
    roots: tuple[RootPlan, ...]
    width: int
    source: str


def compiled(
    schema: GraphQLSchema,
    fragments: dict[str, FragmentDetails],
    operation: OperationDefinitionNode,
    variables: VariableValues,
) -> Plan:
    """The plan for these truths of the variables in `@skip` and `@include`. Raises UnsupportedError."""
    return _Compiler(schema, fragments, operation, variables).plan()


class _Function:
    """A function that is being written; `fields` and `bytes` of the answer are always so many, `texts` and what `more`
    says come to those. `weight`: the fields that are to be expected, those of inner lists too."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.fields = 0
        self.bytes = 0
        self.texts: list[str] = []
        self.more = False
        self.weight = 0

    def text(self, name: str, result: str) -> str:
        """The source."""
        begin = ["b = 0"] if self.more else []
        size = " + ".join([str(self.bytes), *(f"len({one})" for one in self.texts), *(["b"] if self.more else [])])
        end = [f"m.fields_left -= {self.fields}"] if self.fields else []
        end += [f"m.bytes_left -= {size}"] if size != "0" else []
        return "\n ".join([f"def {name}(x, m):", *begin, *self.lines, *end, f"return {result}"])


class _Compiler:
    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDetails],
        operation: OperationDefinitionNode,
        variables: VariableValues,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._operation = operation
        self._variables = variables
        self._names: dict[str, Any] = {"many": many, "surprise": surprise, "Undefined": Undefined, "UUID": UUID}
        self._functions: list[str] = []
        self._sites: list[tuple[str, Relation, str]] = []  # of the root field that is being compiled
        self._taken = 0

    def plan(self) -> Plan:
        kind = self._schema.get_root_type(self._operation.operation)
        if kind is None:
            raise UnsupportedError("root")
        collected = collect_fields(self._schema, self._fragments, self._variables, kind, self._operation)
        if collected.new_defer_usages:
            raise UnsupportedError("defer")
        names: dict[str, str | None] = {}
        roots = []
        for name, found in collected.grouped_field_set.items():
            names[name] = kind.name if found[0].node.name.value == _TYPENAME else None
            if names[name] is None:
                field = _field(kind, found)
                if not isinstance(field.resolve, Root):
                    raise UnsupportedError("resolver")
                self._sites = []
                complete, _ = self._completing(field.type, found)
                roots.append((name, field, found[0].node, field.resolve.of, complete, self._sites))
        source = "\n".join(self._functions)
        exec(compile(source, "<plan>", "exec"), self._names)  # noqa: S102 - names of the schema, quoted response names
        width = sum(len(name) + PUNCTUATION_BYTES + len(value or "") for name, value in names.items())
        return Plan(
            names,
            tuple(
                RootPlan(
                    name,
                    field,
                    node,
                    self._arguments(field, node),
                    resolve,
                    is_non_null_type(field.type),
                    self._names[complete],
                    tuple(Site(place, relation, self._names[one]) for place, relation, one in sites),
                )
                for name, field, node, resolve, complete, sites in roots
            ),
            width,
            source,
        )

    def _arguments(self, field: GraphQLField, node: FieldNode) -> Mapping[str, Any] | None:
        """What resolvers get again and again is what none of them could change."""
        if any(not isinstance(one.value, _CONSTANT) for one in node.arguments or ()):
            return None
        try:
            found = get_argument_values(field, node, self._variables, hide_suggestions=True)
        except GraphQLError:  # told when it is asked for
            return None
        return found if all(type(one) in _UNCHANGING for one in found.values()) else None

    def _completing(self, kind: GraphQLOutputType, found: FieldDetailsList) -> tuple[str, int]:
        """The name of the function from a value to what is answered for it, and its weight."""
        function = _Function()
        name = self._name("c")
        result = self._value(function, kind, "x", found)
        self._functions.append(function.text(name, result))
        return name, max(1, function.fields + function.weight)

    def _value(self, function: _Function, kind: GraphQLOutputType, value: str, found: FieldDetailsList) -> str:
        """Adds what makes the answer of the variable `value`; gives the variable that has it then."""
        required = is_non_null_type(kind)
        inner = kind.of_type if is_non_null_type(kind) else kind
        if is_leaf_type(inner):
            self._leaf(function, inner, value, required=required)
            return value
        unless = "" if required else f"if {value} is not None: "
        if is_list_type(inner):
            complete, weight = self._completing(inner.of_type, found)
            function.lines.append(f"{unless}{value} = many({value}, {complete}, m, {weight})")
            function.weight += weight * PAGE_DEFAULT
            return value
        if not is_object_type(inner):
            raise UnsupportedError("abstract")
        if required:
            return self._object(function, inner, value, found)
        complete, weight = self._completing(GraphQLNonNull(inner), found)
        function.lines.append(f"{unless}{value} = {complete}({value}, m)")
        function.weight += weight
        return value

    def _leaf(self, function: _Function, kind: GraphQLLeafType, value: str, *, required: bool) -> None:
        leaf = leaf_of(kind)
        show = self._name("n", leaf.show)
        names = self._name("n", leaf.names) if leaf.names is not None else ""
        odd = leaf.odd.format(v=value, names=names)
        lines = [f"if {odd}: {value} = {show}({value})"]
        if leaf.counts == "self":
            lines = [f"{value} = {show}({value}, m)"]
        elif leaf.counts == "number" and required:
            function.bytes += NUMBER_BYTES
        elif leaf.counts == "number":
            lines.append(f"b += {NUMBER_BYTES}")
        elif kind.name == "ID":  # JSON has a UUID as its text
            lines = [f"if type({value}) is UUID: b += {_UUID_CHARS}", "else:", f" {lines[0]}", f" b += len({value})"]
        elif required:
            function.texts.append(value)
        else:
            lines.append(f"b += len({value})")
        function.more = function.more or any("b +=" in line for line in lines)
        function.lines += lines if required else [f"if {value} is not None:", *(f" {line}" for line in lines)]

    def _object(self, function: _Function, kind: GraphQLObjectType, value: str, found: FieldDetailsList) -> str:
        if kind.is_type_of is not None:
            raise UnsupportedError("abstract")
        collected = collect_subfields(self._schema, self._fragments, self._variables, self._operation, kind, found)
        if collected.new_defer_usages:
            raise UnsupportedError("defer")
        function.lines.append(
            f"if {value} is None or {value} is Undefined or isinstance({value}, Exception): surprise()"
        )
        function.fields += len(collected.grouped_field_set)
        parts, waiting = [], []
        for name, below in collected.grouped_field_set.items():
            function.bytes += len(name) + PUNCTUATION_BYTES
            if below[0].node.name.value == _TYPENAME:
                function.bytes += len(kind.name)
                parts.append(f"{name!r}: {kind.name!r}")
                continue
            field = _field(kind, below)
            if field.args:
                raise UnsupportedError("arguments")
            if isinstance(field.resolve, Relation):
                waiting.append(self._site(function, name, field.resolve, field.type, below))
                parts.append(f"{name!r}: None")
                continue
            read = self._name("v")
            function.lines.append(f"{read} = {self._read(field, value)}")
            parts.append(f"{name!r}: {self._value(function, field.type, read, below)}")
        made = self._name("v")
        function.lines.append(f"{made} = {{{', '.join(parts)}}}")
        function.lines += [f"m.asked[{site}].append(({made}, {value}))" for site in waiting]
        return made

    def _site(
        self, function: _Function, name: str, relation: Relation, kind: GraphQLOutputType, found: FieldDetailsList
    ) -> int:
        site = len(self._sites)
        self._sites.append((name, relation, ""))
        complete, weight = self._completing(kind, found)
        self._sites[site] = (name, relation, complete)
        function.weight += weight
        return site

    def _read(self, field: GraphQLField, value: str) -> str:
        way = field.resolve
        if isinstance(way, Attribute) and all(one.isidentifier() and not iskeyword(one) for one in way.name.split(".")):
            return f"{value}.{way.name}"
        if isinstance(way, Item):
            return f"{value}[{way.key!r}]"
        if isinstance(way, Read):
            return f"{self._name('n', way.of)}({value})"
        raise UnsupportedError("resolver")

    def _name(self, prefix: str, of: object = None) -> str:
        """A name that is not taken, for `of` where it stands for something outside the text."""
        self._taken += 1
        name = f"{prefix}{self._taken}"
        if of is not None:
            self._names[name] = of
        return name


def _field(kind: GraphQLObjectType, found: FieldDetailsList) -> GraphQLField:
    field: GraphQLField | None = kind.fields.get(found[0].node.name.value)
    if field is None:  # a valid document has no others
        raise UnsupportedError("introspection")
    return field
