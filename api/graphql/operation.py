"""One operation of a document: by its plan once it was asked for twice, else by graphql-core.

The root fields are resolved once, whoever makes the answer. Of those for which the plan does not know it, graphql-core
completes what they were resolved to, so that messages, paths and what becomes null are its own.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

import structlog
from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    default_field_resolver,
    default_type_resolver,
    get_argument_values,
    get_variable_values,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues

from api.graphql.context import Context
from api.graphql.execution import Meter, MeteredExecutor, hear
from api.graphql.leaves import Unexpected
from api.graphql.plan import Plan, RootPlan, UnsupportedError, compiled
from api.graphql.projection import Projection
from api.graphql.ways import Resolved, waits
from config import metrics
from config.errors import AnswerTooLarge
from config.graphql.limits import Measure
from config.limits import GRAPHQL_ERRORS_MAX

log = structlog.get_logger()

PLANS_MAX: Final = 4  # of one operation: one for each truth of what its @skip and @include ask
PLAN_SELECTIONS_MAX: Final = 150  # of its document: some 0.1 ms each to compile, in one go
COMPILED_AT_ONCE_COST: Final = 50  # 12 ms of graphql-core for what such a document may bring, 2 ms for its plan
_BYTES_PER_PLANNED: Final = 1_500  # of a selection in one plan: what tracemalloc says
_NO_VARIABLES: Final = VariableValues({}, {})


def runs_of(
    schema: GraphQLSchema, document: DocumentNode, operations: Mapping[str, OperationDefinitionNode], measure: Measure
) -> tuple[dict[str, "Operation"], int]:
    """What runs each operation of a document, and how many bytes all their plans may have."""
    at_once, selections = measure.cost >= COMPILED_AT_ONCE_COST, measure.selections
    runs = {
        name: Operation(schema, document, node, selections=selections, at_once=at_once)
        for name, node in operations.items()
    }
    plans = sum(run.plans_max for run in runs.values()) * min(selections, PLAN_SELECTIONS_MAX) * _BYTES_PER_PLANNED
    return runs, plans


class Asking(NamedTuple):
    """Who asks, as resolvers hear it (context.Info)."""

    context: Context


class Operation:
    """Runs an operation that is valid for the schema, for whoever asks."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        node: OperationDefinitionNode,
        *,
        selections: int = 0,
        at_once: bool = False,
    ) -> None:
        self._schema = schema
        self._node = node
        self._definitions = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self._fragments = {name: FragmentDetails(one) for name, one in self._definitions.items()}
        self._conditions = _conditions(document, node)
        self._plans: dict[tuple[Any, ...], Plan | str] = {}  # or why there is none
        self._used = at_once
        self._selections = selections

    async def run(self, context: Context, inputs: Mapping[str, Any] | None, meter: Meter) -> ExecutionResult:
        """The answer. Raises AnswerTooLarge."""
        variables = self._variables(inputs)
        if isinstance(variables, list):
            return ExecutionResult(None, variables)
        plan = self._plan(variables)
        if plan is None:
            return await self._by_library(None, context, variables, meter)
        try:
            arguments = [_arguments(root, variables) for root in plan.roots]
        except GraphQLError:  # before anything is resolved
            return await self._instead("arguments", None, context, variables, meter)
        resolved = Resolved()
        run = _in_turn if self._node.operation is OperationType.MUTATION else _at_once
        meter.count(len(plan.names), plan.width)
        reason = await run(plan.roots, arguments, resolved, Asking(context), meter)
        if reason is not None:
            meter.count(-len(plan.names), -plan.width)  # the library counts them
            return await self._instead(reason, resolved, context, variables, meter)
        return ExecutionResult(
            {name: resolved.projected[name] if always is None else always for name, always in plan.names.items()}
        )

    @property
    def plans_max(self) -> int:
        """How many plans there may be."""
        return int(min(PLANS_MAX, 2 ** len(self._conditions)))

    def _variables(self, inputs: Mapping[str, Any] | None) -> VariableValues | list[GraphQLError]:
        definitions = self._node.variable_definitions
        if not definitions:
            return _NO_VARIABLES
        return get_variable_values(
            self._schema, definitions, dict(inputs or {}), max_errors=GRAPHQL_ERRORS_MAX, hide_suggestions=True
        )

    def _plan(self, variables: VariableValues) -> Plan | None:
        truths = tuple(variables.coerced.get(name) for name in self._conditions)
        found = self._plans.get(truths)
        if found is None:
            if not self._used:
                self._used = True
                return None
            found = self._compile(truths, variables)
        if isinstance(found, Plan):
            return found
        metrics.GRAPHQL_PLAN_FALLBACKS.labels(found).inc()
        return None

    def _compile(self, truths: tuple[Any, ...], variables: VariableValues) -> Plan | str:
        if self._selections > PLAN_SELECTIONS_MAX:
            return "size"
        if len(self._plans) == PLANS_MAX or any(type(one) is not bool for one in truths):
            return "conditions"
        found: Plan | str
        try:
            found = compiled(self._schema, self._fragments, self._node, variables)
        except UnsupportedError as unsupported:
            found = unsupported.reason
        except Exception:
            log.exception("graphql_plan_not_compiled")
            found = "defect"
        self._plans[truths] = found
        return found

    async def _instead(
        self, reason: str, resolved: Resolved | None, context: Context, variables: VariableValues, meter: Meter
    ) -> ExecutionResult:
        metrics.GRAPHQL_PLAN_FALLBACKS.labels(reason).inc()
        result = await self._by_library(resolved, context, variables, meter)
        if not result.errors:  # what a plan does not know should be an error: it may be a defect of the plan
            log.warning("graphql_plan_gave_up", reason=reason)
        return result

    async def _by_library(
        self, resolved: Resolved | None, context: Context, variables: VariableValues, meter: Meter
    ) -> ExecutionResult:
        executor = (MeteredExecutor if resolved is None else _Completing)(
            self._schema,
            self._definitions,
            self._fragments,
            resolved,
            context,
            self._node,
            variables,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            is_awaitable=waits,
            hide_suggestions=True,
            meter=meter,
        )
        result = executor.execute_operation()
        return cast("ExecutionResult", await result if waits(result) else result)


class _Completing(MeteredExecutor):
    """Takes root fields that are whole as they are."""

    def execute_field(self, parent_type: Any, source: Any, details: Any, path: Any, position: Any) -> Any:
        """One field; that of a root is found by its response name."""
        if path.prev is None and path.key in self.root_value.projected:
            return self.root_value.projected[path.key]
        return super().execute_field(parent_type, source, details, path, position)


async def _in_turn(
    roots: Sequence[RootPlan], arguments: Sequence[Mapping[str, Any]], resolved: Resolved, asks: Asking, meter: Meter
) -> str | None:
    """Each field of a mutation is resolved and made before the next begins. None, or what the plan does not know: then
    nothing after it was begun."""
    for root, given in zip(roots, arguments, strict=True):
        try:
            value = root.resolve(None, asks, **given)
            resolved[root.name] = await value if waits(value) else value
        except Exception as error:  # noqa: BLE001 - the library tells it
            resolved[root.name] = error
            return "resolver"
        reason = await _make(root, resolved, asks, meter)
        if reason is not None:
            return reason
    return None


async def _at_once(
    roots: Sequence[RootPlan], arguments: Sequence[Mapping[str, Any]], resolved: Resolved, asks: Asking, meter: Meter
) -> str | None:
    """The fields of a query are resolved side by side, and made. None, or what the plan does not know of one."""
    for root, given in zip(roots, arguments, strict=True):
        try:
            resolved[root.name] = root.resolve(None, asks, **given)
        except Exception as error:  # noqa: BLE001 - the library tells it
            resolved[root.name] = error
    tasks: dict[str, asyncio.Task[Any]] = {}
    try:
        await _settle(roots, resolved, tasks)
        reasons = [await _make(root, resolved, asks, meter) for root in roots]
    except BaseException:
        await _end(tasks.values())
        raise
    return next((reason for reason in reasons if reason is not None), None)


async def _settle(roots: Sequence[RootPlan], resolved: Resolved, tasks: dict[str, asyncio.Task[Any]]) -> None:
    """Waits until all are resolved, or until one has failed whose failure leaves no answer: the others are the
    library's to give up then."""
    waiting = [root for root in roots if waits(resolved[root.name])]
    failed = any(root.required and isinstance(resolved[root.name], Exception) for root in roots)
    if len(waiting) == 1 and not failed:
        name = waiting[0].name
        try:
            resolved[name] = await resolved[name]
        except Exception as error:  # noqa: BLE001 - the library tells it
            resolved[name] = error
        return
    for root in waiting:
        resolved[root.name] = tasks[root.name] = asyncio.create_task(resolved[root.name], name=f"root:{root.name}")
        tasks[root.name].add_done_callback(hear)
    pending = set(tasks.values())
    while pending and not failed:
        _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
        for root in waiting:
            task = tasks[root.name]
            if task.done():
                resolved[root.name] = task.exception() or task.result()
                failed = failed or (root.required and task.exception() is not None)


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _make(root: RootPlan, resolved: Resolved, asks: Asking, meter: Meter) -> str | None:
    """Adds the field's part of the answer to what is projected. None, or what the plan does not know of it."""
    value = resolved[root.name]
    if isinstance(value, (Exception, asyncio.Task)):
        return "resolver"
    making = Projection(meter, len(root.sites))
    try:
        made = root.complete(value, making)
        if making.waits:
            await making.finish(root.name, root.sites, asks, resolved)
        making.commit(meter)
    except AnswerTooLarge:
        raise
    except Unexpected as unexpected:
        return unexpected.reason
    except Exception:  # noqa: BLE001 - a reader's: the library meets it too, and tells it
        return "reader"
    resolved.projected[root.name] = made
    return None


def _arguments(root: RootPlan, variables: VariableValues) -> Mapping[str, Any]:
    """Raises GraphQLError."""
    if root.arguments is not None:
        return root.arguments
    return get_argument_values(root.field, root.node, variables, hide_suggestions=True)


def _conditions(document: DocumentNode, node: OperationDefinitionNode) -> tuple[str, ...]:
    """The operation's variables that decide what is in its answer: those in directives of selections, which are `@skip`
    and `@include` alone."""
    defined = {one.variable.name.value for one in node.variable_definitions or ()}
    asked: set[str] = set()
    pending = [one.selection_set for one in document.definitions if isinstance(one, ExecutableDefinitionNode)]
    while defined and pending:
        for selection in pending.pop().selections:
            for directive in selection.directives or ():
                values = (one.value for one in directive.arguments or ())
                asked.update(value.name.value for value in values if isinstance(value, VariableNode))
            if isinstance(selection, (FieldNode, InlineFragmentNode)) and selection.selection_set is not None:
                pending.append(selection.selection_set)
    return tuple(sorted(defined & asked))
