"""An event loop whose time passes only when everybody waits, so that minutes take milliseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _NoWaiting(selectors.SelectSelector):
    """A selector that lets virtual time pass instead of waiting."""

    def __init__(self, loop: "VirtualLoop") -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits and nothing is due: a deadlock")
            self._loop.virtual_s += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` starts at zero and jumps to whatever is due next."""

    def __init__(self) -> None:
        self.virtual_s = 0.0
        super().__init__(_NoWaiting(self))

    def time(self) -> float:
        return self.virtual_s


class VirtualClock:
    """Implements `ports.views.Clock` on a virtual loop."""

    def __init__(self, loop: VirtualLoop, start_ms: int = 1_795_000_000_000) -> None:
        self._loop = loop
        self._start_ms = start_ms

    def now_ms(self) -> int:
        return self._start_ms + round(self._loop.virtual_s * 1000)

    def monotonic_ms(self) -> int:
        return round(self._loop.virtual_s * 1000)

    async def sleep_ms(self, duration_ms: int) -> None:
        await asyncio.sleep(max(0, duration_ms) / 1000)


def run_virtually(loop: VirtualLoop, story: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a virtual loop and close the loop."""
    try:
        return loop.run_until_complete(story)
    finally:
        loop.run_until_complete(_end_the_rest())
        loop.close()


async def _end_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
