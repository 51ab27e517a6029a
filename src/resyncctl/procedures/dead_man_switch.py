"""Keep the exchange's own countdowns as a backstop while an account is being made safe.

If this host dies in the middle, the exchange cancels the orders that its countdown covers.
Promises: every arming and every stop has a journaled intent; a countdown is refreshed with half of
its time left and never more often; a stop waits for armings that may still land, so that none comes
after it; what could not be stopped for certain is told, with the moment after which it cannot run.
A switch is never evidence that an order is gone, and one that cannot be armed stops nothing.

The countdown of a symbol belongs to the account, not to whoever set it: arming replaces one that
the engine set, and stopping leaves the engine without one until it sets its own again.
Called by `resync`, `verify --resume` and whoever closes a gate for long.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field

from resyncctl.core.errors import RecordUnwritableError
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from resyncctl.core.switches import (
    ARM,
    DISARM,
    ArmedSwitch,
    JournalRecord,
    SwitchState,
    SwitchTarget,
    switch_details,
    unresolved_switches,
)
from resyncctl.ports.powers import DeadManSwitch, LeaseKeeper, SwitchAbility
from resyncctl.ports.views import Clock, Journal, Progress

__all__ = [
    "ArmedSwitch",
    "JournalRecord",
    "SwitchState",
    "SwitchTarget",
    "Switches",
    "unresolved_switches",
]

LONGEST_COUNTDOWN_MS = 600_000
"""Whoever looks for countdowns of earlier runs has to look back this far, and no further."""
AT_ONCE = 4
STOP_ATTEMPTS = 3
PAUSE_MS = 1_000
RETRY_AFTER_MS = 5_000


@dataclass(slots=True, kw_only=True)
class _Timer:
    """What is known of one countdown. Times are of the wall clock.

    `countdown_ms` is what it is refreshed with, zero when it is not kept up any more. It may run
    until `fires_by_ms`; a request that arms it may land until `lands_by_ms`. `running_from_ms` is
    when the newest acknowledged arming was sent, None while none was acknowledged.
    """

    countdown_ms: int = 0
    fires_by_ms: int = 0
    lands_by_ms: int = 0
    asked_ms: int = 0
    running_from_ms: int | None = None

    @property
    def due_ms(self) -> int:
        """When to arm it again: at half of its time, or a moment after an attempt that failed."""
        if self.running_from_ms is None:
            return self.asked_ms + RETRY_AFTER_MS
        half_ms = self.running_from_ms + self.countdown_ms // 2
        failed = self.asked_ms > self.running_from_ms
        return max(half_ms, self.asked_ms + RETRY_AFTER_MS) if failed else half_ms


@dataclass(slots=True, kw_only=True)
class Switches:
    """The countdowns of one account in one run.

    `earlier` are countdowns of runs that did not stop them. `skew_ms` is how far the exchange's
    clock may differ from what requests are signed with.
    """

    account: str
    power: DeadManSwitch
    journal: Journal
    lease: LeaseKeeper
    clock: Clock
    progress: Progress
    countdown_ms: int
    request_validity_ms: int
    skew_ms: int = 1_000
    earlier: Sequence[ArmedSwitch] = ()
    _timers: dict[SwitchTarget, _Timer] = field(default_factory=dict)
    _notes: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take over what earlier runs left running."""
        for one in self.earlier:
            self._timers[one.target] = _Timer(
                fires_by_ms=one.fires_by_ms,
                lands_by_ms=one.lands_by_ms or 0,
                running_from_ms=0 if one.certain else None,
            )

    def state(self) -> SwitchState:
        """Say where the switches stand now; what has run out is not told any more."""
        told = [
            ArmedSwitch(
                target=target,
                fires_by_ms=timer.fires_by_ms,
                certain=timer.running_from_ms is not None,
                lands_by_ms=timer.lands_by_ms or None,
            )
            for target, timer in self._running()
        ]
        return SwitchState(
            armed=tuple(one for one in told if one.certain),
            unresolved=tuple(one for one in told if not one.certain),
            notes=tuple(self._notes),
        )

    async def arm(
        self, targets: Sequence[SwitchTarget], *, protective_too: bool = False
    ) -> SwitchState:
        """Arm the countdowns of these symbols; say in the notes for which there is none.

        A countdown that would also take stops that protect a position is armed only with
        `protective_too`: a naked position is its own danger.

        Raises:
            LockedError: The lease was lost; nothing may be sent any more.
        """
        wanted: dict[SwitchTarget, None] = {}
        for target in targets:
            ability = self.power.switch(target.product)
            if ability is None:
                self._note(f"the exchange has no countdown for {target.product} that can be armed")
                continue
            if ability.takes_protective and not protective_too:
                self._note(
                    f"the countdown for {target.product} is not armed: it would also cancel stops"
                    " that protect a position"
                )
                continue
            key = target if ability.per_symbol else whole_account(target.product)
            timer = self._timers.setdefault(key, _Timer())
            timer.countdown_ms = self._countdown(ability)
            wanted[key] = None
        await _together([self._arm(target) for target in wanted])
        return self.state()

    async def refresh_if_due(self) -> SwitchState:
        """Arm again what has less than half of its countdown left, or was not acknowledged.

        Raises:
            LockedError: The lease was lost; nothing may be sent any more.
        """
        now_ms = self.clock.now_ms()
        await _together(
            [
                self._arm(target)
                for target, timer in self._timers.items()
                if timer.countdown_ms and now_ms >= timer.due_ms
            ]
        )
        return self.state()

    async def disarm(self) -> SwitchState:
        """Stop every countdown; what may still run afterwards is in the answer.

        Raises:
            LockedError: The lease was lost; nothing may be sent any more.
        """
        for timer in self._timers.values():
            timer.countdown_ms = 0  # from here on nothing refreshes it
        landed_ms = max((timer.lands_by_ms for _, timer in self._running()), default=0)
        wait_ms = landed_ms - self.clock.now_ms()
        if wait_ms > 0:
            # An arming whose fate is not known could reach the exchange after the stop.
            await self.clock.sleep_ms(wait_ms)
        await _together([self._stop(target) for target, _ in self._running()])
        return self.state()

    def _running(self) -> list[tuple[SwitchTarget, _Timer]]:
        now_ms = self.clock.now_ms()
        return [item for item in self._timers.items() if item[1].fires_by_ms > now_ms]

    def _countdown(self, ability: SwitchAbility) -> int:
        most = min(ability.countdown_max_ms, LONGEST_COUNTDOWN_MS)
        return max(ability.countdown_min_ms, min(self.countdown_ms, most))

    async def _arm(self, target: SwitchTarget) -> None:
        timer = self._timers[target]
        sent_ms = self.clock.now_ms()
        validity_ms = self._validity_ms(target)
        fires_by_ms = sent_ms + validity_ms + timer.countdown_ms
        timer.asked_ms = sent_ms
        # The exchange may have it as soon as it is sent: whoever looks meanwhile must see that.
        before_ms, timer.fires_by_ms = timer.fires_by_ms, max(timer.fires_by_ms, fires_by_ms)
        lands_ms, timer.lands_by_ms = timer.lands_by_ms, sent_ms + validity_ms
        outcome = await self._send(ARM, target, timer.countdown_ms, fires_by_ms)
        if outcome is None or outcome.kind is OutcomeKind.REJECTED:
            timer.fires_by_ms, timer.lands_by_ms = before_ms, lands_ms
            self._note(f"the countdown of {target.words} was not armed: {_why(outcome)}")
        elif outcome.kind is OutcomeKind.ACKNOWLEDGED:
            timer.running_from_ms, timer.lands_by_ms = sent_ms, lands_ms
        else:
            self._note(f"whether the countdown of {target.words} was armed is not known")

    async def _stop(self, target: SwitchTarget) -> None:
        if self.power.switch(target.product) is None:
            self._note(f"the countdown of {target.words} cannot be stopped from here")
            return
        outcome: MutationOutcome | None = None
        for attempt in range(STOP_ATTEMPTS):
            if attempt:
                wish_ms = outcome.retry_after_ms if outcome else None
                await self.clock.sleep_ms(max(PAUSE_MS, min(wish_ms or 0, RETRY_AFTER_MS)))
            timer = self._timers[target]
            outcome = await self._send(DISARM, target, 0, timer.fires_by_ms)
            if outcome is not None and outcome.kind is OutcomeKind.ACKNOWLEDGED:
                del self._timers[target]
                return
        self._note(f"the countdown of {target.words} could not be stopped: {_why(outcome)}")

    def _validity_ms(self, target: SwitchTarget) -> int:
        """For how long a request can still take effect after it was sent."""
        ability = self.power.switch(target.product)
        longest_ms = ability.lands_within_ms if ability is not None else 0
        return max(self.request_validity_ms, longest_ms) + self.skew_ms

    async def _send(
        self, action: str, target: SwitchTarget, countdown_ms: int, fires_by_ms: int
    ) -> MutationOutcome | None:
        """Journal, send, settle. None when it could not be journaled, so that nothing was sent."""
        now_ms = self.clock.now_ms()
        token = self.lease.assure(now_ms, self.request_validity_ms + self.skew_ms)
        details = switch_details(
            self.account,
            target,
            countdown_ms=countdown_ms,
            at_ms=now_ms,
            lands_by_ms=now_ms + self._validity_ms(target),
            fires_by_ms=fires_by_ms,
        )
        deadline_ms = now_ms + self.request_validity_ms
        try:
            permit = self.journal.intend(
                action, details, deadline_ms=deadline_ms, fencing_token=token
            )
        except RecordUnwritableError as error:
            self._note(f"nothing was sent for {target.words}: {error.message}")
            return None
        if action == ARM:
            outcome = await self.power.arm(
                target.product, target.venue_symbol, countdown_ms, permit
            )
        else:
            outcome = await self.power.disarm(target.product, target.venue_symbol, permit)
        try:
            self.journal.settle(permit, outcome)
        except RecordUnwritableError as error:
            self._note(f"an outcome for {target.words} was not recorded: {error.message}")
        self.progress.say(
            self.account,
            "switch",
            f"{action.replace('_', ' ')} {target.words} {outcome.kind.value}",
            countdown_ms=countdown_ms,
        )
        return outcome

    def _note(self, words: str) -> None:
        self._notes[words] = None


def whole_account(product: str) -> SwitchTarget:
    """Return the target of a venue that has one countdown for all symbols of a product."""
    return SwitchTarget(product=product, symbol="every symbol")


async def _together(acts: Sequence[Coroutine[object, object, None]]) -> None:
    """Run a few at a time; all of them end before the first trouble is raised."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(act: Coroutine[object, object, None]) -> None:
        async with slots:
            await act

    results = await asyncio.gather(*(one(act) for act in acts), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _why(outcome: MutationOutcome | None) -> str:
    if outcome is None:
        return "no intent could be recorded"
    return outcome.message or outcome.kind.value
