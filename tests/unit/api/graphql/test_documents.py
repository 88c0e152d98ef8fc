"""Documents are prepared once per text and tier; errors tell nothing of the schema."""

import contextlib
import re
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import build_schema, get_introspection_query
from hypothesis import given, settings

from api.app import SCHEMA as PRODUCT
from api.graphql.operation import Operation, runs_of
from api.web import page
from config.errors import BadInput
from config.graphql.documents import Documents, InvalidDocumentError
from config.graphql.limits import COST_MAX
from config.limits import GRAPHQL_DOCUMENT_BYTES_MAX, GRAPHQL_LINES_MAX, GRAPHQL_TOKENS_MAX
from tests.unit.api.graphql import nasty

STATIC = Path(page.__file__).parent / "static" / "documents.js"
SCHEMA = build_schema(
    "type Query { me: User! version: Int } type User { id: ID! secretName: String } type Mutation { go: Int }"
)


def documents(kept_max: int = 10) -> Documents[Operation]:
    return Documents(SCHEMA, runs_of, introspection=False, kept_max=kept_max)


def test_the_same_text_is_prepared_once_for_a_tier() -> None:
    """Seen failing with the tier left out of the key: an anonymous client got what premium had paid for."""
    made = documents()
    first = made.prepare("{ me { id } }", "free")
    assert made.prepare("{ me { id } }", "free") is first
    assert made.prepare("{ me { id } }", "anonymous") is not first


def test_the_tier_decides_even_when_another_has_prepared_the_text() -> None:
    made = documents()
    text = "{ " + " ".join(f"... on Query {{ me {{ id {'secretName ' * 8} }} }}" for _ in range(11)) + " }"
    assert made.prepare(text, "free").cost == 110
    with pytest.raises(BadInput):
        made.prepare(text, "anonymous")


def test_what_was_unused_longest_is_dropped() -> None:
    made = documents(kept_max=2)
    first = made.prepare("{ version }", "free")
    made.prepare("{ me { id } }", "free")
    assert made.prepare("{ version }", "free") is first
    made.prepare("{ me { secretName } }", "free")
    assert len(made) == 2
    assert made.prepare("{ version }", "free") is first


@pytest.mark.parametrize(
    "text", ["", "{", "{ me { secretNam } }", "{ me(x: 1) { id } }", "query Q { me { id } } { me }"]
)
def test_an_invalid_document_is_refused_without_a_hint(text: str) -> None:
    """Seen failing with one rule's hint left in, which hide_suggestions does not reach."""
    with pytest.raises(InvalidDocumentError) as refused:
        documents().prepare(text, "free")
    assert refused.value.errors
    assert not any("did you mean" in error.message.lower() for error in refused.value.errors)


def test_size_and_tokens_are_bounded() -> None:
    with pytest.raises(BadInput, match="bytes"):
        documents().prepare("{ version } #" + "x" * GRAPHQL_DOCUMENT_BYTES_MAX, "free")
    with pytest.raises(BadInput, match="lines"):
        documents().prepare("{ version }" + "\n" * (GRAPHQL_LINES_MAX + 1), "free")
    with pytest.raises(InvalidDocumentError):
        documents().prepare("{ version " + "@a " * GRAPHQL_TOKENS_MAX + "}", "free")


def test_the_operation_must_be_told_where_there_are_several() -> None:
    prepared = documents().prepare("query A { version } mutation B { go }", "free")
    assert prepared.operation("B").name is not None
    for name in (None, "C"):
        with pytest.raises(BadInput):
            prepared.operation(name)


def test_what_is_kept_is_bounded_in_memory() -> None:
    """Failed with the number alone bounded: 1,000 documents of 500 tokens are 200 MB."""
    made = documents(kept_max=1_000)
    texts = [f"{{ me {{ {' '.join(f'id_{n}_{m}: id' for m in range(8))} }} }}" for n in range(50)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for text in texts:
        made.prepare(text, "free")
    real = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(made) == 50
    assert real * 0.8 < made.size < real * 2.5, (real, made.size)
    small = Documents(SCHEMA, runs_of, introspection=False, bytes_max=made.size // 5)
    for text in texts:
        small.prepare(text, "free")
    assert 8 <= len(small) <= 10
    assert small.size <= made.size // 5


def prepare(text: str, tier: str) -> int:
    """The cost of a document that nobody has prepared before."""
    return Documents(PRODUCT, runs_of, introspection=True).prepare(text, tier).cost


def of_the_page() -> dict[str, str]:
    script = STATIC.read_text("utf-8")
    texts = dict(re.findall(r"const (\w+) = `([^`]*)`", script))
    exported = re.findall(r"export const (\w+) = `\s*(?:query|mutation|subscription)\b", script)
    return {name: re.sub(r"\$\{(\w+)\}", lambda part: texts[part[1]], texts[name]) for name in exported}


def test_the_page_asks_within_the_limits_of_whoever_looks_at_it() -> None:
    """Failed with a plain list taken for a page of 100 items."""
    documents = of_the_page()
    assert len(documents) >= 6
    for name, text in documents.items():
        tier = "free" if name in ("DASHBOARD", "ACCOUNT", "LOG_WORKOUT") else "anonymous"
        assert prepare(text, tier) <= COST_MAX["anonymous"] / 2, name
    assert prepare(get_introspection_query(), "anonymous") == 1  # what tools of developers send


def bombs() -> Iterator[tuple[str, str]]:
    bodies = ("muscles{muscle{id}}", "id name slug muscles{activation muscle{id name}}", "equipment{id name slug}")
    for body in bodies:
        for spread, repeated in ((20, 8), (20, 4), (15, 8), (12, 19), (16, 2), (60, 1), (10, 2)):
            fragments = " ".join(f"fragment F{n} on Exercise{{{' '.join([body] * repeated)}}}" for n in range(spread))
            yield f"{spread} fragments that repeat {body}", f"{{exercises{{{spreads('F', spread)}}}}}{fragments}"
    for spread in (6, 12):
        inner = " ".join(f"fragment G{n} on ExerciseMuscle{{{'muscle{...H} ' * spread}}}" for n in range(spread))
        text = "{exercises{" + " ".join(f"muscles{{...G{n}}}" for n in range(spread)) + "}}"
        yield f"{spread} of fragments in fragments", text + inner + " fragment H on Muscle{id name slug biasWeight}"
    yield (
        "doubling",
        "{exercises{...A0}}" + "".join(f"fragment A{n} on Exercise{{...A{n + 1} ...A{n + 1}}}" for n in range(40)),
    )
    yield "ten times a list", "{...F} fragment F on Query{" + " ".join(f"a{n}:exercises{{id}}" for n in range(10)) + "}"
    yield "operations", "".join(f"query Q{n}{{__typename}}" for n in range(330))
    yield "operations of one fragment", operations(60) + "fragment F on Query{exercises{id name slug}}"
    yield "unknown names", "{" + " ".join(f"zz{n}" for n in range(GRAPHQL_TOKENS_MAX - 5)) + "}"
    yield "errors after many lines", "\n" * GRAPHQL_LINES_MAX + "{" + " ".join(f"zz{n}" for n in range(300)) + "}"
    yield "errors after many bytes", "\n" * 16_000 + "{" + " ".join(f"z{n}" for n in range(60)) + "}"
    yield "one long name", "{" + "z" * 16_000 + "}"
    yield "comments", "#\n" * 8_000 + "{me{id}}"
    yield "one long comment", "#" + "x" * 16_000 + "\n{muscles{id}}"
    yield "a block of text", '{exercises(search:"""' + "x\n" * 900 + '"""){id}}'
    yield "escapes", '{exercises(search:"' + "\\u0041" * 2_600 + '"){id}}'
    yield "deep lists", "{exercises(search:" + "[" * 5_000 + "]" * 5_000 + "){id}}"
    yield "deep objects", "{exercises(search:" + "{a:" * 120 + "1" + "}" * 120 + "){id}}"
    yield "long lists", "{exercises(search:[" + "1 " * 480 + "]){id}}"
    yield "deep fields", "{exercises" + "{muscles" * 2_000 + "}" * 2_000 + "}"
    yield "deep types", "query($a:" + "[" * 2_000 + "Int" + "]" * 2_000 + "){me{id}}"
    yield "directives", "{muscles{id " + "@skip(if:false)" * 70 + "}}"
    yield "fields with directives", "{muscles{" + "id@skip(if:false)@include(if:true) " * 30 + "}}"
    yield "variables", "query(" + "".join(f"$v{n}:Int=1 " for n in range(80)) + "){muscles{id}}"
    yield "variables used", f"query({variables(60)}){{{uses(60)}}}"
    yield "introspection", "{__schema{types{" + "fields{type{ofType{name}}} " * 40 + "}}}"
    yield "deep introspection", "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}"
    yield "a workout of literals", workout("{reps:1 weightKg:2}" * 60)
    yield "unknown fields of an input", workout("{" + " ".join(f"x{n}:1" for n in range(140)) + "}")
    yield "a workout of wrong literals", workout('{reps:"x"}' * 90)


def spreads(name: str, count: int) -> str:
    return " ".join(f"...{name}{n}" for n in range(count))


def operations(count: int) -> str:
    return "".join(f"query Q{n}{{...F}}" for n in range(count))


def variables(count: int) -> str:
    return " ".join(f"$v{n}:String" for n in range(count))


def uses(count: int) -> str:
    return " ".join(f"exercises(search:$v{n})" + "{id}" for n in range(count))


def workout(sets: str) -> str:
    exercises = '[{exerciseId:"x" sets:[' + sets + "]}]"
    return f'mutation{{logWorkout(idempotencyKey:"k" input:{{performedAt:"x" exercises:{exercises}}}){{charged}}}}'


@pytest.mark.alone
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in bombs()])
def test_no_document_takes_the_loop(text: str) -> None:
    """20 ms on a machine at rest, before it is refused or kept; three times that here, where others run beside. Failed
    against: the library's merging rule (20 fragments that repeat a sub-selection: 715 ms), 2,000 tokens (34 ms to
    validate 1,000), errors that count 16,000 lines each (106 ms)."""
    worst = max(min(took(text, tier) for _ in range(3)) for tier in ("anonymous", "premium"))
    assert worst < 0.060


def took(text: str, tier: str) -> float:
    made = Documents(PRODUCT, runs_of, introspection=True)
    started = time.process_time()
    with contextlib.suppress(BadInput, InvalidDocumentError):
        made.prepare(text, tier)
    return time.process_time() - started


@settings(deadline=None, max_examples=50)
@given(nasty.documents)
def test_whatever_is_sent_is_prepared_or_refused(text: str) -> None:
    made = Documents(build_schema(nasty.SDL), runs_of, introspection=False)
    try:
        prepared = made.prepare(text, "premium")
    except (BadInput, InvalidDocumentError):
        return
    assert made.prepare(text, "premium") is prepared
