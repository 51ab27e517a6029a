"""From "we have lost touch" to SAFE: close the gate, cancel, snapshot, compare, prove.

    close       the gate, before anything else
    hold        the account, so that a second run ends at once
    cancel      in waves, repeated while orders rest, with a countdown of the exchange as backstop
    establish   every condition of SAFE, with its evidence
    record      the verdict; then the gate goes to SAFE, never further

Promises: closing and cancelling wait for nothing; what is not proved is named and the gate stays
UNSAFE; after a bound the run escalates instead of going on for ever. Called by the `resync` verb,
by hand or from an engine's disconnect hook.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resyncctl.core.errors import (
    RecordUnwritableError,
    ResyncError,
    TryAgainLaterError,
    VenueUnavailableError,
)
from resyncctl.core.gate import GateState
from resyncctl.core.open_requests import OpenRequest
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.core.safety import Name, Safety, VerdictRecord
from resyncctl.ports.powers import GateControl, LeaseControl, LeaseKeeper, VenueCancel
from resyncctl.ports.prompts import Interrupted, Prompter
from resyncctl.ports.repair import CheckpointRepair
from resyncctl.ports.views import (
    Clock,
    EngineView,
    GateView,
    Journal,
    Progress,
    SilenceView,
    VenueView,
)
from resyncctl.procedures import gate_step
from resyncctl.procedures.dead_man_switch import Switches
from resyncctl.procedures.establish import Established, Tools, establish
from resyncctl.procedures.held_lease import HeldLease
from resyncctl.procedures.resync_hands import Hands, ResyncRequest, SwitchMaker
from resyncctl.procedures.resync_report import ResyncState, may_mend, report
from resyncctl.procedures.take_over import Waiting, Wish, take_account
from resyncctl.procedures.verify import record_verdict
from resyncctl.procedures.witness import WitnessedJournal, WitnessedVenue

PAUSE_MS = 2_000
PAUSE_MAX_MS = 30_000

__all__ = ["ResyncRequest", "SwitchMaker", "resync"]


async def resync(
    request: ResyncRequest,
    *,
    venue: VenueView,
    cancel: VenueCancel,
    gate: GateControl,
    gate_view: GateView,
    leases: LeaseControl,
    engine: EngineView,
    silence: SilenceView,
    journal: Journal,
    clock: Clock,
    progress: Progress,
    prompter: Prompter,
    policy: Policy,
    switches: Switches | SwitchMaker | None,
    remember: Callable[[VerdictRecord], bool],
    interrupted: Interrupted = lambda: False,
    under: LeaseKeeper | None = None,
    repair: CheckpointRepair | None = None,
    left_behind: Callable[[], Sequence[OpenRequest]] = tuple,
) -> AccountOutcome:
    """Make one account SAFE, or say exactly what is missing.

    Raises:
        LockedError: Another run holds the account. The gate is closed, nothing was sent.
        CredentialsRefusedError, VenueUnavailableError, TryAgainLaterError: At first contact; the
            gate is closed, nothing was sent.
        DeclinedError, NoTerminalError: The operator said no, or cannot be asked. Nothing was sent.
        RecordUnwritableError: No intent could be written anywhere. Nothing was sent.
    """
    tools = Tools(
        venue=WitnessedVenue(venue),
        engine=engine,
        gate=gate_view,
        silence=silence,
        journal=WitnessedJournal(journal),
        clock=clock,
        progress=progress,
        policy=policy,
        interrupted=interrupted,
    )
    state = ResyncState(began_ms=clock.monotonic_ms())
    close_gate(request, gate, tools, state)
    lease = under or await _take(request, leases, tools)
    try:
        hands = Hands(
            request=request,
            cancel=cancel,
            gate=gate,
            leases=leases,
            prompter=prompter,
            repair=repair,
            tools=tools,
            state=state,
            lease=lease,
            switches=switches if isinstance(switches, Switches | None) else switches(lease),
            earlier=tuple(left_behind()),
        )
        return await _Run(hands=hands, remember=remember).carry_out()
    finally:
        if isinstance(lease, HeldLease) and under is None:
            lease.release()


def close_gate(request: ResyncRequest, gate: GateControl, tools: Tools, state: ResyncState) -> None:
    """Close the gate unless it is closed; one that cannot be written stops no cancel."""
    account = request.account
    state.gate_before = before = tools.gate.read(account)
    if before.trusted and before.state is GateState.UNSAFE:
        # Closing again would take its word back from another run's proof.
        tools.progress.say(account, "gate", "the gate is UNSAFE already")
        return
    try:
        gate.move(
            account,
            GateState.UNSAFE,
            reason=request.reason,
            by=request.by,
            run_id=tools.journal.run_id,
            now_ms=tools.clock.now_ms(),
        )
    except RecordUnwritableError as error:
        state.trouble.append(f"the gate could not be written: {error.message}")
        tools.progress.say(account, "gate", f"the gate could not be written: {error.message}")
    else:
        tools.progress.say(account, "gate", "gate UNSAFE")


async def _take(request: ResyncRequest, leases: LeaseControl, tools: Tools) -> HeldLease:
    wish = Wish(
        account=request.account,
        request_validity_ms=tools.policy.request_validity_ms,
        wait_ms=request.lock_timeout_ms,
        take_over=request.take_over,
    )
    waiting = Waiting(
        leases=leases,
        journal=tools.journal,
        clock=tools.clock,
        progress=tools.progress,
        interrupted=tools.interrupted,
    )
    return await take_account(wish, waiting)


@dataclass(slots=True, kw_only=True)
class _Run:
    """One account's run from the moment when it holds the account."""

    hands: Hands
    remember: Callable[[VerdictRecord], bool]

    async def carry_out(self) -> AccountOutcome:
        """Cancel and establish until SAFE, or until going on makes no sense."""
        hands = self.hands
        hands.tools.journal.record(
            "resync_started",
            {
                "account": hands.request.account,
                "reason": hands.request.reason,
                "by": hands.request.by,
                "gate_before": hands.state.gate_before.state.value,
            },
        )
        found: Established | None = None
        try:
            found = await self._until_safe()
            await self._conclude(found)
        except ResyncError as error:
            if not hands.tools.journal.sent:
                raise
            # Something has left this process: no exit code that promises otherwise may be used.
            hands.state.trouble.append(error.message)
        return self._ended(found)

    async def _until_safe(self) -> Established:
        """Return the last judgement.

        Raises:
            VenueUnavailableError, TryAgainLaterError: Until the end, and the exchange never let us
                look.
        """
        state = self.hands.state
        while True:
            state.attempts += 1
            try:
                found = await self._attempt()
            except (VenueUnavailableError, TryAgainLaterError) as error:
                if not await self._waits_for_the_exchange(error):
                    raise
                continue
            state.last = found
            self._tell(found)
            if found.safety is Safety.SAFE or not await self._goes_on(found):
                return found

    async def _attempt(self) -> Established:
        last = self.hands.state.last
        if last is None or self._mends(last) == "cancel":
            await self.hands.make_quiet()
        return await establish(self.hands.what_to_establish(), self.hands.looking())

    def _mends(self, found: Established) -> str | None:
        return may_mend(found, self.hands.tools.venue.profile, repairs=self.hands.repairs)

    async def _waits_for_the_exchange(self, error: ResyncError) -> bool:
        """Whether to try again; an exchange that is away comes back before it is given up."""
        pause_ms = self._pause_ms()
        tools = self.hands.tools
        if tools.interrupted() or tools.clock.monotonic_ms() + pause_ms >= self.hands.deadline_ms:
            return False
        account = self.hands.request.account
        tools.progress.say(
            account, "again", f"{error.message}; trying again", seconds=pause_ms // 1000
        )
        return await self._pause(pause_ms)

    def _pause_ms(self) -> int:
        return int(min(PAUSE_MS * 2 ** min(self.hands.state.attempts - 1, 10), PAUSE_MAX_MS))

    async def _pause(self, pause_ms: int) -> bool:
        """Wait, and keep lease and countdowns; False when the operator interrupts."""
        tools = self.hands.tools
        until_ms = tools.clock.monotonic_ms() + pause_ms
        while not tools.interrupted() and (left_ms := until_ms - tools.clock.monotonic_ms()) > 0:
            await tools.clock.sleep_ms(min(1_000, left_ms))
            await self.hands.keep_alive()
        return not tools.interrupted()

    def _tell(self, found: Established) -> None:
        for one in found.failing:
            words = f"{'does not hold' if one.known else 'not known'}: {one.name}: {one.evidence}"
            self.hands.tools.progress.say(self.hands.request.account, "condition", words)
        self.hands.tools.journal.record(
            "resync_judged",
            {
                "account": self.hands.request.account,
                "attempt": self.hands.state.attempts,
                "safety": found.safety.value,
                "failing": [one.to_json() for one in found.failing],
            },
        )

    async def _goes_on(self, found: Established) -> bool:
        """Whether another attempt makes sense, after a pause that grows; else escalate."""
        tools = self.hands.tools
        if tools.interrupted():
            return False
        pause_ms = self._pause_ms()
        if str(Name.COUNTDOWNS) in {str(one.name) for one in found.failing} and self.hands.switches:
            fires_ms = self.hands.switches.state().fires_by_ms or 0
            pause_ms = max(pause_ms, fires_ms - tools.clock.now_ms())
        out_of_time = tools.clock.monotonic_ms() + pause_ms >= self.hands.deadline_ms
        mends = self._mends(found)
        if mends is None or out_of_time or self.hands.state.attempts >= self.hands.request.attempts:
            self._escalate(found, "time is up" if out_of_time else "another attempt mends nothing")
            return False
        tools.progress.say(
            self.hands.request.account,
            "again",
            f"not safe yet; attempt {self.hands.state.attempts + 1}",
        )
        return await self._pause(pause_ms)

    def _escalate(self, found: Established, why: str) -> None:
        self.hands.state.escalated = why
        missing = [f"{one.name}: {one.evidence}" for one in found.failing]
        self.hands.tools.progress.say(
            self.hands.request.account,
            "escalated",
            f"NOT SAFE, call somebody ({why}): {'; '.join(missing)}",
            attempts=self.hands.state.attempts,
        )
        self.hands.tools.journal.record(
            "resync_escalated",
            {"account": self.hands.request.account, "why": why, "missing": missing},
        )

    async def _conclude(self, found: Established) -> None:
        """Record the verdict, and move the gate to SAFE when it was asked for."""
        record_verdict(found, self.hands.tools.journal)
        record = found.record(self.hands.tools.journal.run_id)
        remembered = self.remember(record)
        if not remembered:
            self.hands.state.trouble.append("the verdict could not be remembered on this host")
        if found.safety is not Safety.SAFE or self.hands.request.until != "safe":
            return
        if not remembered:
            # Opening needs what can be found again: the next step would have nothing to stand on.
            return
        tools = self.hands.tools
        self.hands.lease.assure(tools.clock.now_ms(), tools.policy.request_validity_ms)
        try:
            self.hands.state.moved = gate_step.step(
                gate_step.OpenRequest(
                    account=self.hands.request.account,
                    to=GateState.SAFE,
                    reason=f"proved safe: {self.hands.request.reason}",
                    by=self.hands.request.by,
                    mode=self.hands.request.mode,
                ),
                gate_step.Grounds(verdict=record, digests_now=found.digests),
                view=self.hands.tools.gate,
                gate=self.hands.gate,
                journal=self.hands.tools.journal,
                clock=self.hands.tools.clock,
            )
        except ResyncError as error:
            self.hands.state.trouble.append(f"the gate did not move to SAFE: {error.message}")

    def _ended(self, found: Established | None) -> AccountOutcome:
        tools = self.hands.tools
        reading = tools.gate.read(self.hands.request.account)
        outcome = report(
            self.hands.request.account,
            self.hands.state,
            found or self.hands.state.last,
            gate=reading,
            until=self.hands.request.until,
            reason=self.hands.request.reason,
            sent=tools.journal.sent,
            cancels=tools.journal.cancels,
            ended_ms=tools.clock.monotonic_ms(),
            now_ms=tools.clock.now_ms(),
            interrupted=tools.interrupted(),
            countdowns=None if self.hands.switches is None else self.hands.switches.state(),
        )
        tools.journal.record(
            "resync_ended",
            {"account": self.hands.request.account, "status": outcome.status, **outcome.evidence},
        )
        return outcome
