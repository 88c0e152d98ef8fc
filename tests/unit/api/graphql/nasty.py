"""Documents that nobody honest sends: fragments in fragments, one field many times, aliases, arguments of all kinds."""

import random
from typing import Final

from hypothesis import strategies as st

SDL: Final = """
type Query { a: A  b(x: Int, y: In): A  id: Int }
type A { a: A  b(x: Int, y: In): A  id: Int  name: String }
input In { m: Int  n: [Int]  o: In }
"""
_FRAGMENTS: Final = 3
_ALIASES: Final = ("", "", "", "a: ", "id: ")
_ARGUMENTS: Final = (
    *("", "", "", "(x: 1)", "(x: 2)", "(x: $v)", "(x: null)", "(y: {m: 1, n: [1]}, x: 1)", "(x: 1, y: {n: [1], m: 1})"),
    *("(y: {n: 1, m: 1})", "(y: {o: {m: $v}})", "(y: {o: {m: 1}})", "(y: {})"),
)


def document(seed: int) -> str:
    """One document; some three of ten are valid. No fragment contains itself."""
    chance = random.Random(seed)
    root = f"query($v: Int) {{ a {_set(chance, 3, 0)} b(x: $v) {{ ...F0 ...F1 ...F2 }} }}"
    return root + "".join(f" fragment F{n} on A {_set(chance, 2, n + 1)}" for n in range(_FRAGMENTS))


# Seeds, since a document that is drawn part by part takes 100 ms to draw.
documents: Final = st.integers(0, 2**32).map(document)


def _set(chance: random.Random, levels: int, spreads: int) -> str:
    parts = " ".join(_selection(chance, levels, spreads) for _ in range(chance.randint(1, 3)))
    return f"{{ {parts} }}"


def _selection(chance: random.Random, levels: int, spreads: int) -> str:
    kind = chance.random()
    if kind < 0.2 and spreads < _FRAGMENTS:
        return f"...F{chance.randrange(spreads, _FRAGMENTS)}"
    if kind < 0.5 or not levels:
        return chance.choice(_ALIASES[:3] if chance.random() < 0.9 else _ALIASES) + chance.choice(("id", "name"))
    below = _set(chance, levels - 1, spreads)
    if kind < 0.6:
        return chance.choice(("... on A ", "... ")) + below
    alias = chance.choice(_ALIASES[:4])
    return alias + (f"a {below}" if kind < 0.8 else f"b{chance.choice(_ARGUMENTS)} {below}")
