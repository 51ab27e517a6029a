"""An exchange's countdowns in memory, with requests that are lost, refused or late.

Implements `ports.powers.DeadManSwitch`. The ground truth is `running`: when each countdown fires.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from resyncctl.core.model import Scope
from resyncctl.core.mutation import MutationOutcome, OutcomeKind, Permit
from resyncctl.ports.powers import DeadManSwitch, SwitchAbility
from tests.fakes.fake_clock import FakeClock

Key = tuple[str, str | None]
PER_SYMBOL = SwitchAbility(
    per_symbol=True, countdown_min_ms=1_000, countdown_max_ms=300_000, covers=(Scope("linear"),)
)


@dataclass(slots=True, kw_only=True)
class FakeSwitch:
    """`faults` are taken one by each request: `lost` (never arrives), `mute` (arrives, unanswered),
    `late` (arrives at the last moment of its permit, unanswered), `refused`; None is an answer."""

    clock: FakeClock
    abilities: dict[str, SwitchAbility] = field(default_factory=lambda: {"linear": PER_SYMBOL})
    running: dict[Key, int] = field(default_factory=dict)
    faults: list[str | None] = field(default_factory=list)
    permits: list[Permit] = field(default_factory=list)
    asked: list[tuple[str, Key, int, int]] = field(default_factory=list)
    _late: list[tuple[int, Callable[[], None]]] = field(default_factory=list)

    def switch(self, product: str) -> SwitchAbility | None:
        return self.abilities.get(product)

    async def arm(
        self, product: str, venue_symbol: str | None, countdown_ms: int, permit: Permit
    ) -> MutationOutcome:
        return self._take("arm", (product, venue_symbol), countdown_ms, permit)

    async def disarm(
        self, product: str, venue_symbol: str | None, permit: Permit
    ) -> MutationOutcome:
        return self._take("disarm", (product, venue_symbol), 0, permit)

    def fires(self, now_ms: int) -> set[Key]:
        """Return the countdowns that run, now that everything on its way has arrived."""
        self._arrive(now_ms)
        return {key for key, fires_ms in self.running.items() if fires_ms > now_ms}

    def _take(self, what: str, key: Key, countdown_ms: int, permit: Permit) -> MutationOutcome:
        now_ms = self.clock.now_ms()
        assert permit not in self.permits, "a permit was used twice"
        assert permit.reduces is None
        self.permits.append(permit)
        self.asked.append((what, key, countdown_ms, now_ms))
        self._arrive(now_ms)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "refused":
            return MutationOutcome(kind=OutcomeKind.REJECTED, message="-1021 the clock", code="-1")
        if fault == "late":
            moment_ms = permit.deadline_ms
            self._late.append((moment_ms, lambda: self._set(key, countdown_ms, moment_ms)))
        elif fault != "lost":
            self._set(key, countdown_ms, now_ms)
        if fault is not None:
            return MutationOutcome(kind=OutcomeKind.UNKNOWN, message="no answer")
        return MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED, http_status=200)

    def _arrive(self, now_ms: int) -> None:
        arrived = [act for moment_ms, act in self._late if moment_ms <= now_ms]
        self._late = [item for item in self._late if item[0] > now_ms]
        for act in arrived:
            act()

    def _set(self, key: Key, countdown_ms: int, at_ms: int) -> None:
        if countdown_ms:
            self.running[key] = at_ms + countdown_ms
        else:
            self.running.pop(key, None)


_power: type[DeadManSwitch] = FakeSwitch
