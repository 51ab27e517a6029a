"""Tell what a procedure is doing, on standard error, one line per step.

Promises: standard output stays untouched; seconds since the start stand on every line; on a
terminal a repeated step is rewritten in place, elsewhere it is told only when its words or numbers
change by more than the countdown, or a few seconds have passed. Implements
`ports.views.Progress`. Called by the command line.
"""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TextIO

from resyncctl.ports.views import Progress
from resyncctl.screen import envelope
from resyncctl.screen.terminal import is_terminal
from resyncctl.screen.text import ascii_text, rfc3339, safe_text

SILENCE_MAX_S = 4.5
"""After this long even a step that only counts down is told again, where nothing is rewritten: a
silent tool looks like a dead one."""
_CLEAR = "\r\x1b[K"


def _now_s() -> float:
    return time.monotonic()


@dataclass(slots=True)
class LineProgress:
    """Progress as lines for a person."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    now_s: Callable[[], float] = _now_s
    began_s: float = -1.0
    unicode: bool = True
    _last: tuple[str, str] = ("", "")
    _last_words: str = ""
    _open: bool = False
    _said_s: float = 0.0

    def say(self, account: str, stage: str, text: str, **numbers: object) -> None:
        """Print the step."""
        if self.began_s < 0:
            self.began_s = self.now_s()
        same_step = (account, stage) == self._last
        steady = {key: value for key, value in numbers.items() if key != "seconds_left"}
        words = f"{text} {_shown(steady)}"
        live = is_terminal(self.stream)
        same_words = same_step and words == self._last_words
        if same_words and not live and self.now_s() - self._said_s < SILENCE_MAX_S:
            return
        self._said_s = self.now_s()
        self._last, self._last_words = (account, stage), words
        elapsed = self.now_s() - self.began_s
        told = (
            f"{elapsed:6.1f}s  {safe_text(account)}  {safe_text(text)}  {_shown(numbers)}".rstrip()
        )
        told = told if self.unicode else ascii_text(told)
        lead = ""
        if self._open:
            lead = _CLEAR if same_step else "\n"
        # Only a countdown is rewritten; every other line ends, so that a question stands alone.
        self._open = live and "seconds_left" in numbers
        self._write(lead + (_fitting(told) if self._open else f"{told}\n"))

    def finish(self) -> None:
        """End the line that is still open."""
        if self._open:
            self._write("\n")
            self._open = False

    def _write(self, text: str) -> None:
        """Write, as long as somebody reads: a terminal that went away must not end a cancel."""
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(text)
            self.stream.flush()


@dataclass(slots=True)
class JsonProgress:
    """Progress as JSON lines on standard output, for `-o jsonl`."""

    stream: TextIO
    now_ms: Callable[[], int]
    run_id: str = ""

    def say(self, account: str, stage: str, text: str, **numbers: object) -> None:
        """Print the step as one event."""
        event = {
            "event": "progress",
            "run_id": self.run_id,
            "at": rfc3339(self.now_ms()),
            "account": account,
            "stage": stage,
            "text": text,
            "numbers": {name: _plain(value) for name, value in numbers.items()},
        }
        # A reader that has gone must not end a cancel.
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(envelope.dumps(event) + "\n")
            self.stream.flush()

    def finish(self) -> None:
        """Nothing is left open."""


@dataclass(slots=True)
class SilentProgress:
    """Progress that nobody wants to see."""

    def say(self, account: str, stage: str, text: str, **numbers: object) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Nothing is left open."""


def _plain(value: object) -> object:
    """Return a value that JSON knows; telling a step must never fail for what it tells."""
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _fitting(told: str) -> str:
    """Drop whole numbers from the end until the line fits: a wrapped line cannot be rewritten."""
    width = shutil.get_terminal_size((80, 24)).columns
    parts = told.split("  ")
    while len(parts) > 1 and len("  ".join(parts)) >= width:
        parts.pop()
    return "  ".join(parts)[: max(1, width - 1)]


def _shown(numbers: Mapping[str, object]) -> str:
    return "  ".join(
        f"{name.replace('_', ' ')} {safe_text(value)}" for name, value in numbers.items()
    )


_LINE: type[Progress] = LineProgress
_JSON: type[Progress] = JsonProgress
_SILENT: type[Progress] = SilentProgress
