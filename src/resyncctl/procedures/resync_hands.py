"""The hands of one resync: cancel in waves, keep lease and countdowns, repair our own checkpoint.

Promises: whatever is sent goes through `cancel_all` or the countdowns, under the lease of the run;
a repair touches only a checkpoint that this tool owns. Called by `resync`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from resyncctl.core.errors import ResyncError
from resyncctl.core.model import Scope
from resyncctl.core.open_requests import OpenRequest
from resyncctl.core.plan import Selection
from resyncctl.core.switches import SwitchState, SwitchTarget
from resyncctl.ports.powers import GateControl, LeaseControl, LeaseKeeper, VenueCancel
from resyncctl.ports.prompts import Prompter
from resyncctl.ports.repair import CheckpointRepair
from resyncctl.procedures.cancel_all import CancelAllRequest, cancel_all
from resyncctl.procedures.dead_man_switch import Switches
from resyncctl.procedures.establish import EstablishRequest, Tools
from resyncctl.procedures.reconcile import ReconcileRequest, reconcile
from resyncctl.procedures.resync_report import ResyncState, switch_targets
from resyncctl.procedures.resync_skip import decide

SwitchMaker = Callable[[LeaseKeeper], Switches]
"""Makes the countdowns of a run, once the run holds the account."""

PAUSE_MS = 2_000
PAUSE_MAX_MS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ResyncRequest:
    """What is asked.

    `until` is `safe` (the gate goes to SAFE on a SAFE verdict) or `verdict` (the gate stays).
    `protective` is `keep`, `cancel` or `ask`. `known_symbols` are (scope, unified, venue symbol) of
    the engine's state, for scopes that cannot be listed. `deadline_ms` bounds the whole run, the
    policy's recovery time objective where it is None. `lock_timeout_ms` and `take_over` are about
    another run that holds the account.
    """

    account: str
    scopes: tuple[Scope, ...]
    reason: str
    by: str
    mode: str = "LIVE"
    symbols: tuple[str, ...] = ()
    skip_cancel: bool = False
    until: str = "safe"
    protective: str = "keep"
    want_repair: bool = False
    assume_yes: bool = True
    known_symbols: tuple[tuple[Scope, str, str], ...] = ()
    attempts: int = 6
    deadline_ms: int | None = None
    lock_timeout_ms: int = 0
    take_over: str | None = None


@dataclass(slots=True, kw_only=True)
class Hands:
    """What one run may do, and what became of it so far. `switches` are None without a switch."""

    request: ResyncRequest
    cancel: VenueCancel
    gate: GateControl
    leases: LeaseControl
    prompter: Prompter
    repair: CheckpointRepair | None
    tools: Tools
    state: ResyncState
    lease: LeaseKeeper
    switches: Switches | None
    earlier: tuple[OpenRequest, ...]

    @property
    def deadline_ms(self) -> int:
        """When the run must end, on the monotonic clock."""
        asked_ms = self.request.deadline_ms
        return self.state.began_ms + (self.tools.policy.rto_ms if asked_ms is None else asked_ms)

    @property
    def repairs(self) -> bool:
        """Whether a checkpoint of our own is brought to the exchange's truth."""
        return self.request.want_repair and self.repair is not None

    async def make_quiet(self) -> None:
        """Cancel in waves until listings show nothing more, or leave it out if that was allowed."""
        first = not self.state.cancel_runs and self.state.skip is None
        if first and self.request.skip_cancel and await self._may_skip():
            return
        # The orders that were to stay are not expected any more: the cancel takes them too.
        self.state.expected = frozenset()
        outcome = await cancel_all(
            CancelAllRequest(
                account=self.request.account,
                scopes=self.request.scopes,
                protective=self.request.protective if first else self._protective_again(),
                reason=self.request.reason,
                by=self.request.by,
                mode=self.request.mode,
                assume_yes=self.request.assume_yes or not first,
                known_symbols=self.request.known_symbols,
                closes_gate=False,
                prove=False,
                deadline_ms=max(1, self.deadline_ms - self.tools.clock.monotonic_ms()),
            ),
            venue=self.tools.venue,
            cancel=self.cancel,
            gate=self.gate,
            leases=self.leases,
            journal=self.tools.journal,
            clock=self.tools.clock,
            progress=self.tools.progress,
            prompter=self.prompter,
            policy=self.tools.policy,
            interrupted=self.tools.interrupted,
            under=self.lease,
            left_behind=lambda: self.earlier,
        )
        self.state.note_cancel(outcome)
        if self.switches is not None:
            await self.switches.arm(self._backstop(self.switches))

    def _protective_again(self) -> str:
        return "cancel" if self.request.protective == "cancel" else "keep"

    def _backstop(self, switches: Switches) -> Sequence[SwitchTarget]:
        kept = [one for one in self.tools.venue.seen.values() if one.protective]
        return switch_targets(
            self.tools.venue.seen.values(),
            kept if self.request.protective != "cancel" else (),
            switches.power,
        )

    async def _may_skip(self) -> bool:
        decision = await decide(self._both_sides(), self.looking())
        self.state.skip = decision
        self.tools.journal.record(
            "skip_cancel",
            {
                "account": self.request.account,
                "skipped": decision.skips,
                "conditions": [one.to_json() for one in decision.conditions],
            },
        )
        if decision.skips:
            self.state.expected = decision.expected
            self.state.before = decision.open_orders
            return True
        failing = next(one for one in decision.conditions if not (one.holds and one.known))
        self.tools.progress.say(
            self.request.account, "cancel", f"cancels after all: {failing.name}: {failing.evidence}"
        )
        return False

    def _both_sides(self) -> ReconcileRequest:
        return ReconcileRequest(
            account=self.request.account,
            scopes=self.request.scopes,
            symbols=self.request.symbols,
            second_look=False,
        )

    def what_to_establish(self) -> EstablishRequest:
        """Return what the next attempt has to establish."""
        return EstablishRequest(
            account=self.request.account,
            scopes=self.request.scopes,
            deadline_ms=self.deadline_ms,
            symbols=self.request.symbols,
            selection=Selection(keep_protective=self.request.protective != "cancel"),
            expected=self.state.expected,
            left_behind=self.earlier,
        )

    def looking(self) -> Tools:
        """Return what looking needs, with the hands that keep things alive meanwhile."""
        return replace(
            self.tools,
            each_read=self.keep_alive,
            countdowns=self._stop_countdowns,
            before_compare=self._repair if self.repairs else self.tools.before_compare,
        )

    async def keep_alive(self) -> None:
        """Keep the lease and the countdowns while nothing is sent.

        Raises:
            LockedError: The lease was lost; somebody else acts now.
        """
        needed_ms = 2 * self.tools.policy.request_validity_ms
        self.lease.assure(self.tools.clock.now_ms(), needed_ms)
        if self.switches is not None:
            await self.switches.refresh_if_due()

    async def _stop_countdowns(self) -> SwitchState:
        return SwitchState() if self.switches is None else await self.switches.disarm()

    async def _repair(self) -> None:
        """Bring a checkpoint of our own to the exchange's truth, before the two are compared."""
        try:
            outcome = await reconcile(
                replace(self._both_sides(), want_repair=True),
                venue=self.tools.venue,
                engine=self.tools.engine,
                gate=self.tools.gate,
                journal=self.tools.journal,
                clock=self.tools.clock,
                progress=self.tools.progress,
                policy=self.tools.policy,
                repair=self.repair,
            )
        except ResyncError as error:
            self.state.trouble.append(f"the checkpoint was not repaired: {error.message}")
        else:
            self.state.note_repair(outcome)
