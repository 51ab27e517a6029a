"""Durations as an operator writes them: a whole number and a unit, e.g. `5s` or `24h`.

Promises: exact, no floating point, and no guess about the unit of a bare number. Called by the
settings models and by the command line's own options.
"""

import re

_UNITS_MS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
}
_PART = re.compile(r"(\d+)(ms|s|m|h|d)")
EXAMPLE = 'a number with its unit, e.g. "250ms", "5s", "10m", "24h" or "1h30m"'


def parse_duration_ms(text: str) -> int:
    """Given e.g. `1h30m`, return milliseconds. Raise `ValueError` when it is no duration."""
    position = 0
    total = 0
    for part in _PART.finditer(text):
        if part.start() != position:
            break
        total += int(part.group(1)) * _UNITS_MS[part.group(2)]
        position = part.end()
    if not text or position != len(text):
        raise ValueError(f"write {EXAMPLE}")
    return total


def format_duration(duration_ms: int) -> str:
    """Return the shortest exact text that `parse_duration_ms` reads back as the same duration."""
    if duration_ms == 0:
        return "0s"
    parts = []
    rest = duration_ms
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
