"""Small words and numbers for the screen, and the one door for text from outside.

Promises: nothing that an exchange, an engine or a file says can move the cursor, hide text, change
colours or be read as markup once it went through `safe_text`; identifiers are shortened in the
middle and numbers never. Every screen uses this module.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from resyncctl.core.money import plain

_SECOND_MS = 1_000
_MINUTE_S = 60
_HOUR_S = 3_600
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Look:
    """How the terminal can show things. `width` is None where lines may be as long as they are."""

    width: int | None = 80
    unicode: bool = True
    verbose: int = 0


def safe_text(value: object) -> str:
    """Return the text on one line without control, formatting and invisible characters.

    Line ends and tabs become spaces. The categories are those of Unicode: Cc (C0 and C1 control),
    Cf (direction marks, zero width), Cs (half characters), Co, Cn, Zl and Zp.
    """
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_safe_letter(letter) for letter in text)


def _safe_letter(letter: str) -> str:
    if letter in "\n\r\t":
        return " "
    category = unicodedata.category(letter)
    if category in {"Zl", "Zp"}:
        return " "
    if category in {"Cs", "Co", "Cn"}:
        return "?"
    return "" if category.startswith("C") else letter


def shorten(text: str, width: int, *, unicode: bool = True) -> str:
    """Return the text in at most `width` characters, cut in the middle."""
    mark = "…" if unicode else "..."
    if len(text) <= width:
        return text
    if width <= len(mark) + 1:
        return text[:width]
    rest = width - len(mark)
    head = (rest + 1) // 2
    return text[:head] + mark + text[len(text) - (rest - head) :]


def ascii_text(text: str) -> str:
    """Return the text for a terminal that knows no Unicode; what it cannot show becomes `?`."""
    plainer = text.replace("…", "...").replace("→", "->").replace("—", "-").replace("·", "-")
    return plainer.encode("ascii", "replace").decode()


def rfc3339(time_ms: int) -> str:
    """Return e.g. `2026-11-21T09:31:07.123Z`."""
    moment = datetime.fromtimestamp(time_ms // _SECOND_MS, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % _SECOND_MS:03d}Z"


def moment(time_ms: int | None) -> str:
    """Return e.g. `2026-11-21 09:31:07Z`, `?` when it is not known."""
    if time_ms is None:
        return "?"
    return f"{datetime.fromtimestamp(time_ms // _SECOND_MS, UTC):%Y-%m-%d %H:%M:%SZ}"


def clock(time_ms: int | None) -> str:
    """Return e.g. `09:31:07Z`, `?` when it is not known."""
    if time_ms is None:
        return "?"
    return f"{datetime.fromtimestamp(time_ms // _SECOND_MS, UTC):%H:%M:%SZ}"


def span(duration_ms: int | None) -> str:
    """Return a duration for people: `0.8s`, `42s`, `02:14`, `6h10m`, `3d02h`; `?` if unknown."""
    if duration_ms is None:
        return "?"
    sign = "-" if duration_ms < 0 else ""
    duration_ms = abs(duration_ms)
    seconds = duration_ms // _SECOND_MS
    if seconds < 10:  # noqa: PLR2004  # below ten seconds tenths are worth reading
        return f"{sign}{duration_ms / _SECOND_MS:.1f}s"
    if seconds < _MINUTE_S:
        return f"{sign}{seconds}s"
    if seconds < _HOUR_S:
        return f"{sign}{seconds // _MINUTE_S:02d}:{seconds % _MINUTE_S:02d}"
    if seconds < _DAY_S:
        return f"{sign}{seconds // _HOUR_S}h{seconds % _HOUR_S // _MINUTE_S:02d}m"
    return f"{sign}{seconds // _DAY_S}d{seconds % _DAY_S // _HOUR_S:02d}h"


def number(value: object) -> str:
    """Return a number in full, a missing one as `-`. Decimals never get an exponent."""
    if value is None:
        return "-"
    if isinstance(value, Decimal):
        return plain(value)
    return safe_text(value)


def plural(count: int, noun: str, several: str | None = None) -> str:
    """Return e.g. `1 order` or `3 orders`."""
    return f"{count} {noun if count == 1 else several or noun + 's'}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A state as glyph, word and colour, so that no one of the three has to carry it alone."""

    glyph: str
    ascii_glyph: str
    style: str

    def shown(self, look: Look) -> str:
        """Return the glyph that the terminal can show."""
        return self.glyph if look.unicode else self.ascii_glyph


OK = Mark("✓", "v", "blue")
WARN = Mark("!", "!", "yellow")
FAIL = Mark("✗", "x", "bold magenta")
UNKNOWN = Mark("?", "?", "bold yellow")
NOTE = Mark("·", "-", "")

_MARKS: Mapping[str, Mark] = {
    "ok": OK,
    "clean": OK,
    "running": OK,
    "safe": OK,
    "proved_empty": OK,
    "resumed": OK,
    "resumed_unwatched": WARN,
    "closed_again": FAIL,
    "closed_elsewhere": FAIL,
    "nothing_selected": WARN,
    "gone": OK,
    "warn": WARN,
    "discrepant": FAIL,
    "blocked": FAIL,
    "unsafe": FAIL,
    "residual": FAIL,
    "left": FAIL,
    "fail": FAIL,
    "failed": FAIL,
    "refused": FAIL,
    "unknown": UNKNOWN,
    "unproven": UNKNOWN,
    "incomplete": UNKNOWN,
}


def mark_of(word: str) -> Mark:
    """Return the mark of a state word; a word that nobody knows is marked as not known."""
    return _MARKS.get(word.lower(), UNKNOWN)
