"""The library's executor with a meter: what an answer has, counted while it is made.

How long a list is shows only now, and so does how large a text is: the measure before (limits.py) knows neither. Beyond
a bound nothing more is made: memory is bounded, not only the bytes that are sent.
"""

from asyncio import Future, get_running_loop
from collections.abc import Awaitable, Iterable
from typing import Any, Final, NamedTuple

import orjson
from graphql.execution import Executor
from graphql.type import GraphQLLeafType
from msgspec import Raw
from orjson import Fragment

from config.errors import AnswerTooLarge
from config.limits import EXPORT_BYTES_MAX, GRAPHQL_ANSWER_BYTES_MAX

PUNCTUATION_BYTES: Final = 4  # of a name: "": and a comma
NUMBER_BYTES: Final = 8  # of a number or a truth value, whatever it is


class Ready(NamedTuple):
    """A JSON value that is written already, as large as it must be: its maker has bounded it, and how often."""

    json: bytes


class Meter:
    """What is left of an answer's fields and bytes. A text counts its characters: most have one byte each."""

    __slots__ = ("bytes_left", "fields_left", "fields_max", "ready_left")

    def __init__(self, fields_max: int, bytes_max: int = GRAPHQL_ANSWER_BYTES_MAX) -> None:
        self.fields_max = fields_max
        self.fields_left = fields_max
        self.bytes_left = bytes_max
        self.ready_left = EXPORT_BYTES_MAX

    @property
    def ready(self) -> int:
        """Bytes of what was ready."""
        return EXPORT_BYTES_MAX - self.ready_left

    def leaf(self, value: Any) -> Any:
        """Counts a leaf, and gives it as it is answered: JSON is written once, here, where it is not written yet
        (`Raw`). Raises AnswerTooLarge, and TypeError for what is no JSON."""
        if type(value) is Raw:
            written = bytes(value)
            self.bytes_left -= len(written)
            value = Fragment(written)
        elif isinstance(value, str):
            self.bytes_left -= len(value)
        elif isinstance(value, (int, float)):
            self.bytes_left -= NUMBER_BYTES
        elif type(value) is Ready:
            self.ready_left -= len(value.json)
            if self.ready_left < 0:
                raise AnswerTooLarge("The answer is too large: ask for less at once")
            value = Fragment(value.json)
        else:
            written = orjson.dumps(value)
            self.bytes_left -= len(written)
            value = Fragment(written)
        if self.bytes_left < 0:
            raise too_many_bytes()
        return value

    def count(self, fields: int, size: int) -> None:
        """Counts fields, and bytes. Raises AnswerTooLarge."""
        self.fields_left -= fields
        self.bytes_left -= size
        self.check()

    def check(self) -> None:
        """Raises AnswerTooLarge where nothing is left."""
        if self.fields_left < 0:
            raise AnswerTooLarge(f"The answer has more than {self.fields_max} fields: ask for smaller pages")
        if self.bytes_left < 0:
            raise too_many_bytes()


class MeteredExecutor(Executor[Any]):
    """Executes with a `meter`. Raises AnswerTooLarge, whole and at once, beyond it."""

    def __init__(self, *args: Any, meter: Meter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._meter = meter
        self._widths: dict[int, int] = {}

    def execute_fields(self, parent_type: Any, source_value: Any, path: Any, fields: Any, position: Any) -> Any:
        """Counts the fields of one object, then executes them."""
        width = self._widths.get(id(fields))
        if width is None:
            width = _width(fields)
            if path is not None:  # once per selection: the executor keeps its field sets, but for that of the root
                self._widths[id(fields)] = width
        self._meter.count(len(fields), width)
        return super().execute_fields(parent_type, source_value, path, fields, position)

    def execute_fields_serially(
        self, parent_type: Any, source_value: Any, path: Any, fields: Any, position: Any
    ) -> Any:
        """Counts the fields of a mutation, then executes them one after another."""
        self._meter.count(len(fields), _width(fields))
        return super().execute_fields_serially(parent_type, source_value, path, fields, position)

    def complete_leaf_value(self, return_type: GraphQLLeafType, result: Any) -> Any:  # type: ignore[override]
        """Counts the bytes of one value; a method here, a function of the class there, called alike."""
        return self._meter.leaf(Executor.complete_leaf_value(return_type, result))

    def handle_field_error(self, raw_error: Exception, return_type: Any, fields: Any, path: Any) -> None:
        """An answer that is too large is none: no field of it becomes null instead."""
        if isinstance(raw_error, AnswerTooLarge):
            raise raw_error
        super().handle_field_error(raw_error, return_type, fields, path)

    def settle_in_background(self, awaitables: list[Awaitable[Any]]) -> None:
        """What nobody waits for any more is cancelled at its first wait; the library would run it to its end behind the
        answer. To close it unbegun would leave the resolver's own coroutine unawaited."""
        super().settle_in_background(awaitables)
        for future in self.background_futures:
            future.add_done_callback(hear)
            get_running_loop().call_soon(future.cancel)


def _width(names: Iterable[str]) -> int:
    return sum(len(name) + PUNCTUATION_BYTES for name in names)


def hear(future: Future[Any]) -> None:
    """What nobody waits for is no error that nobody has heard of."""
    if not future.cancelled():
        future.exception()


def too_many_bytes() -> AnswerTooLarge:
    """The refusal of an answer beyond GRAPHQL_ANSWER_BYTES_MAX."""
    return AnswerTooLarge(f"The answer has more than {GRAPHQL_ANSWER_BYTES_MAX} bytes: ask for smaller pages")
