"""What a display name may be: text that shows something. Pure.

Judged by Unicode's properties, not by a list of known tricks. The interpreter's tables know the general category; the
two properties that they lack are written out here, and change hardly ever: what is ignored where it is not supported
(Default_Ignorable_Code_Point), and glyphs that are blank by design.
"""

import unicodedata
from typing import Final

from config.errors import BadInput
from config.limits import NAME_CHARS_MAX

JOINERS: Final = "\u200c\u200d"  # Persian and emoji need them
# DerivedCoreProperties.txt, Default_Ignorable_Code_Point; first and last.
_IGNORABLE: Final = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
# Of categories that show something, and yet without ink: blanks of Braille, Egyptian and music, a place for an object.
_BLANK: Final = frozenset("\u2800\U00013441\U00013442\U0001d159\ufffc")
# Reserved for emoji (Extended_Pictographic of emoji-data.txt): what is unassigned there is an emoji that is younger
# than the interpreter's tables.
_EMOJI: Final = ((0x1F000, 0x1FAFF), (0x1FC00, 0x1FFFD))
_FLAG: Final = "\U0001f3f4"  # followed by tags it is the flag of a region; they end with _TAGS_END
_TAGS: Final = (0xE0020, 0xE007E)
_TAGS_END: Final = "\U000e007f"


def normal_name(name: str) -> str:
    """A display name in Unicode's composed form, blanks collapsed. Raises BadInput."""
    normal = " ".join(unicodedata.normalize("NFC", name).split())
    words = [_without_flags(word) for word in normal.split(" ")]
    if not all(_may_stand(character) for word in words for character in word):
        raise BadInput("Name: has characters that cannot be shown", "name")
    if normal and not any(shows(character) for word in words for character in word):
        raise BadInput("Name: shows nothing", "name")
    if not all(shows(word[0]) for word in words if word):
        raise BadInput("Name: has an accent or a joiner without its letter", "name")
    if not 1 <= len(normal) <= NAME_CHARS_MAX:
        raise BadInput(f"Name: between 1 and {NAME_CHARS_MAX} characters", "name")
    return normal


def shows(character: str) -> bool:
    """Whether the character puts ink on the screen by itself: no mark, no blank, nothing that may be ignored."""
    return (
        (unicodedata.category(character)[0] in "LNPS" or _is_new_emoji(character))
        and character not in _BLANK
        and not _within(character, _IGNORABLE)
    )


def _may_stand(character: str) -> bool:
    # Categories C*: control, format (which includes text-direction overrides), private use, unassigned.
    if character in JOINERS or _is_new_emoji(character):
        return True
    kind = unicodedata.category(character)[0]
    return kind not in "CZ" and (kind == "M" or shows(character))


def _is_new_emoji(character: str) -> bool:
    return unicodedata.category(character) == "Cn" and _within(character, _EMOJI)


def _without_flags(word: str) -> str:
    """The word without the tags of well-formed flags, which are of no use elsewhere."""
    before, *flags = word.split(_FLAG)
    for tagged in flags:
        end = tagged.find(_TAGS_END)
        whole = end > 0 and all(_within(character, (_TAGS,)) for character in tagged[:end])
        before += _FLAG + (tagged[end + 1 :] if whole else tagged)
    return before


def _within(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)
