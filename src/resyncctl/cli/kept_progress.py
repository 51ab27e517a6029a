"""Progress that is also kept in the journal, so that another terminal can follow the run.

Promises: a step is kept when it is a new one, and the numbers of the same step at most every two
seconds; a record that cannot be written changes nothing for the run, and is not mirrored to the
terminal. Called by the command line for the verbs that change an account.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from resyncctl.core.errors import ResyncError
from resyncctl.ports.views import Clock, Journal, Progress

EVERY_MS = 2_000
EVENT = "progress"


class EndingProgress(Progress, Protocol):
    """Progress with something to tidy up at the end, e.g. an open line on a terminal."""

    def finish(self) -> None:
        """End what is still open."""
        ...


@dataclass(slots=True)
class KeptProgress:
    """Implements `EndingProgress` around another one."""

    shown: EndingProgress
    journal: Journal
    clock: Clock
    durable: Callable[[], bool] = lambda: True
    _last: dict[str, tuple[str, str, int]] = field(default_factory=dict)

    def say(self, account: str, stage: str, text: str, **numbers: object) -> None:
        """Tell one step, and keep it."""
        self.shown.say(account, stage, text, **numbers)
        now_ms = self.clock.monotonic_ms()
        last_stage, last_text, at_ms = self._last.get(account, ("", "", now_ms - EVERY_MS))
        # A wave says one line per request; only a new stage is worth a record at once.
        same = stage == last_stage and (text == last_text or "seconds_left" not in numbers)
        if (same and now_ms - at_ms < EVERY_MS) or not self.durable():
            return
        self._last[account] = (stage, text, now_ms)
        with contextlib.suppress(ResyncError):
            self.journal.record(
                EVENT, {"account": account, "stage": stage, "text": text, "numbers": numbers}
            )

    def finish(self) -> None:
        """End what is still open."""
        self.shown.finish()
