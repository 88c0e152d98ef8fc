"""Names show something, on every screen and to everybody; emoji of any age are welcome."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.accounts.names import normal_name, shows
from config.errors import BadInput


@pytest.mark.parametrize(
    "name",
    [
        "Ada",
        " Ada  Lovelace ",
        "李",
        "O'Neil-Smith",
        "👩\u200d💻 dev",
        "❤\ufe0f",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with its joiner
        "नमस्ते",
        "ไทย",
        "1\ufe0f\u20e3",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f fan",  # the flag of England
        "\U0001fae8",  # shaking face, Unicode 15
        "\U0001fae9",  # face with bags under eyes, Unicode 16
        "\U0001fac8",  # hairy creature, Unicode 17
        "\U0001f6d8 x",
        "\U0001fc00",  # reserved for emoji yet to come
        "葛\U000e0100城",  # a variant that a Japanese name asks for
    ],
)
def test_names_lose_only_blanks(name: str) -> None:
    """Seen failing for the flag, and for emoji that are younger than the interpreter (category Cn)."""
    assert normal_name(name) == unicodedata.normalize("NFC", " ".join(name.split()))


# Of each kind a few; the rule knows properties.
NOTHING = {
    "joiners": "\u200d\u200c",
    "a joiner": "\u200d",
    "Hangul filler": "\u3164",
    "halfwidth Hangul filler": "\uffa0",
    "choseong and jungseong fillers": "\u115f\u1160",
    "Braille blank": "\u2800",
    "Braille blanks and spaces": "\u2800 \u2800",
    "a lone accent": "\u0301",
    "a lone enclosing circle": "\u20dd",
    "a lone vowel sign": "\u093f",
    "variation selector": "\ufe0f",
    "Mongolian variation selector": "\u180b",
    "grapheme joiner": "\u034f",
    "musical null notehead": "\U0001d159",
    "soft hyphen": "\u00ad",
    "Khmer inherent vowel": "\u17b4",
    "tags": "\U000e0061\U000e007f",
    "shorthand format": "\U0001bca0",
    "place for an object": "\ufffc",
    "reserved ignorable": "\U000e0fff",
    "zero width space": "\u200b",
}


@pytest.mark.parametrize("name", NOTHING.values(), ids=NOTHING)
def test_names_that_show_nothing_are_refused(name: str) -> None:
    """Seen failing for 16 of these 21: among them U+200D, U+3164, U+2800, U+0301."""
    with pytest.raises(BadInput):
        normal_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "a\u202eb",
        "a\x07b",
        "a\ud800b",
        "a\0b",
        "x" * 81,
        "\u0301Ada",
        "Ada \u0301",
        "\u200dAda",
        "Ada\u3164",
    ],
)
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    with pytest.raises(BadInput):
        normal_name(name)


@pytest.mark.parametrize(
    "name", ["\U000e0067Ada", "\U0001f3f4\U000e0067\U000e0062", "\U0001f3f4\U000e007f", "\ue000", "\u0378"]
)
def test_tags_without_their_flag_and_unassigned_letters_are_refused(name: str) -> None:
    """Seen failing with tags let in wherever they stand."""
    with pytest.raises(BadInput):
        normal_name(name)


def test_every_character_alone() -> None:
    """All of Unicode: what is accepted as a whole name shows something by the tables' own word."""
    for point in range(sys.maxunicode + 1):
        character = chr(point)
        if shows(character):
            assert unicodedata.category(character)[0] in "LNPS" or 0x1F000 <= point <= 0x1FFFD
            name = unicodedata.name(character, "")
            assert not ("HANGUL" in name and "FILLER" in name)
            assert name not in ("BRAILLE PATTERN BLANK", "MUSICAL SYMBOL NULL NOTEHEAD")


@given(st.text(max_size=90))
def test_any_text_is_a_name_or_bad_input(text: str) -> None:
    try:
        name = normal_name(text)
    except BadInput as refused:
        assert refused.field == "name"  # noqa: PT017 - either outcome is right
    else:
        assert any(shows(character) for character in name)
        assert normal_name(name) == name
