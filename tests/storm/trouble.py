"""Trouble of this host while an operator works: the store, the gate's file, the lock.

Promises: one kind of trouble for a while, drawn from the seed; the product's own leases meet it,
on a real file system. What a run without a lease may not do is held against it by the oracle: no
intent after its lock was taken away, no order without a store, no gate opened. Called by `story`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resyncctl.adapters.store.lease import Leases
from resyncctl.adapters.store.lock_files import LockFile, lock
from resyncctl.adapters.store.places import lock_file
from resyncctl.cli.wiring import NEEDS_STORE, REDUCES_RISK_ONLY
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.store import Store
from tests.fakes.memory_store import MemoryStore
from tests.fakes.operators import MemoryGate
from tests.storm.arena import Arena
from tests.storm.oracle import ACCOUNT, VALIDITY_MS

KINDS = ("store", "gate", "directory", "lock_gone")
ASKED = frozenset({"grant_lease", "renew_lease", "lease", "last_verdict"})


@dataclass(slots=True)
class Trouble:
    """One kind of trouble, from and until when; `kind` "" is none."""

    arena: Arena
    folder: Path
    kind: str = ""
    from_ms: int = 0
    until_ms: int = 0
    offices: list[tuple[str, Leases]] = field(default_factory=list)

    def now(self, kind: str) -> bool:
        """Whether there is trouble of this kind at this moment."""
        return self.kind == kind and self.from_ms <= self.arena.clock.now_ms() < self.until_ms

    def all_along(self, kind: str, since_ms: int) -> bool:
        """Whether there was trouble of this kind from then until now."""
        return self.now(kind) and self.from_ms <= since_ms

    def take_lock(self, path: Path) -> LockFile:
        """Lock a file, if the disk takes one."""
        if self.now("directory"):
            raise PermissionError(13, "the storm took the directory away", str(path))
        return lock(path)

    def take_away(self) -> None:
        """Remove the lock file under whoever holds it."""
        lock_file(self.folder / "state", ACCOUNT).unlink(missing_ok=True)
        for run, leases in self.offices:
            if leases.token_of(ACCOUNT) is not None:
                self.arena.oracle.lost(run, VALIDITY_MS)

    def leases(self, run: str, program: str, store: Store) -> Leases:
        """Return the leases of one command, with what the wiring allows and demands for it."""
        made = Leases(
            self.folder / "state",
            store=store,
            clock=self.arena.clock,
            break_glass=program in REDUCES_RISK_ONLY,
            needs_store=program in NEEDS_STORE,
            take_lock=self.take_lock,
        )
        self.offices.append((run, made))
        return made


@dataclass(slots=True)
class SickStore:
    """The store of this host: it answers nothing and keeps nothing while it is in trouble."""

    inner: MemoryStore
    trouble_of_host: Trouble

    def __getattr__(self, name: str) -> Any:
        if not self.trouble_of_host.now("store"):
            return getattr(self.inner, name)
        if name == "trouble":
            return ("the storm took the store away",)
        return self._unknown if name in ASKED else self._refused

    def _unknown(self, *_given: Any, **_named: Any) -> Unknown:
        return Unknown("the storm took the store away")

    def _refused(self, *_given: Any, **_named: Any) -> bool:
        return False


def what_happens(seed: int) -> tuple[int, int, str]:
    """Return when the trouble of a seed begins, how long it lasts, and its kind."""
    dice = random.Random(f"trouble/{seed}")
    start_ms = dice.choice((0, 1_500, dice.randint(1_501, 40_000), dice.randint(1_501, 90_000)))
    return start_ms, dice.choice((3_000, 30_000, 200_000)), dice.choice(KINDS)


def draw_trouble(arena: Arena, folder: Path, gate: MemoryGate) -> Trouble:
    """Draw the trouble of a seed and book its moments."""
    if not arena.scenario.store_trouble:
        return Trouble(arena, folder)
    start_ms, lasts_ms, kind = what_happens(arena.scenario.seed)
    from_ms = arena.clock.now_ms() + start_ms
    trouble = Trouble(arena, folder, kind, from_ms, from_ms + lasts_ms)
    if trouble.kind == "gate":
        _at(arena, start_ms, lambda: setattr(gate, "broken", True))
        _at(arena, start_ms + lasts_ms, lambda: setattr(gate, "broken", False))
    if trouble.kind == "lock_gone":
        _at(arena, start_ms, trouble.take_away)
    return trouble


def _at(arena: Arena, after_ms: int, act: Callable[[], object]) -> None:
    arena.loop.call_later(after_ms / 1000, act)
