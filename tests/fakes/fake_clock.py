"""A clock that moves only when it is told to, or when somebody sleeps on it."""

import asyncio
from dataclasses import dataclass, field

START_MS = 1_795_000_000_000
"""An arbitrary moment in November 2026."""


@dataclass(slots=True)
class FakeClock:
    """Implements `ports.views.Clock`. Sleeping takes no real time."""

    wall_ms: int = START_MS
    running_ms: int = 0
    slept: list[int] = field(default_factory=list)

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic_ms(self) -> int:
        return self.running_ms

    async def sleep_ms(self, duration_ms: int) -> None:
        self.slept.append(duration_ms)
        self.advance(max(0, duration_ms))
        await asyncio.sleep(0)

    def advance(self, duration_ms: int) -> None:
        """Let time pass on both clocks."""
        self.wall_ms += duration_ms
        self.running_ms += duration_ms

    def step_wall(self, difference_ms: int) -> None:
        """Step the wall clock alone: what a correction, or waking from a suspend, looks like."""
        self.wall_ms += difference_ms
