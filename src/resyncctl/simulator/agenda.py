"""What the practice exchange has to do later: countdowns, late landings, scheduled acts.

Promises: acts run in the order of their times, and of their booking where times are equal; an act
runs as of the time for which it was booked, even when nobody looked at the clock in between.

Called by `world.World.advance`.
"""

import heapq
from collections.abc import Callable, Hashable

Act = Callable[[], object]


class Agenda:
    """Acts that wait for their time."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Hashable]] = []
        self._acts: dict[Hashable, tuple[int, Act]] = {}
        self._number = 0

    def book(self, at_ms: int, act: Act, key: Hashable = None) -> None:
        """Run the act at that time; a key that is booked already is booked anew."""
        self._number += 1
        name = key if key is not None else ("", self._number)
        self._acts[name] = (self._number, act)
        heapq.heappush(self._waiting, (at_ms, self._number, name))

    def cancel(self, key: Hashable) -> bool:
        """Forget the act; return whether there was one."""
        return self._acts.pop(key, None) is not None

    def has(self, key: Hashable) -> bool:
        """Return whether the act still waits."""
        return key in self._acts

    def due(self, now_ms: int) -> tuple[int, Act] | None:
        """Take the earliest act whose time has come, with its time."""
        while self._waiting and self._waiting[0][0] <= now_ms:
            at_ms, number, key = heapq.heappop(self._waiting)
            booked = self._acts.get(key)
            if booked is not None and booked[0] == number:
                del self._acts[key]
                return at_ms, booked[1]
        return None
