"""Names of runs: they sort by time, can be read aloud, and are never given twice.

Called by `opening` with the wiring's clock and randomness.
"""

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without 0, 1, i, l and o, which sound or look alike."""

_RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[a-z0-9-]{1,40}-[2-9a-hjkmnp-z]{4}")

Draw = Callable[[int], int]
"""Given n, returns a number from 0 to n - 1."""


def new_run_id(command: str, now_ms: int, draw: Draw = secrets.randbelow) -> str:
    """Given the command and the time, return e.g. `20261121T103000Z-cancel-all-7f3k`."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    word = re.sub(r"[^a-z0-9]+", "-", command.lower()).strip("-")[:40].strip("-") or "run"
    tail = "".join(ALPHABET[draw(len(ALPHABET))] for _ in range(4))
    return f"{moment:%Y%m%dT%H%M%SZ}-{word}-{tail}"


def is_run_id(text: str) -> bool:
    """Whether a name has the form of a run id."""
    return _RUN_ID.fullmatch(text) is not None
