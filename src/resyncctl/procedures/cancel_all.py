"""Close the gate, cancel, prove that the orders are gone, say what is not proved.

The order of steps is the protocol of `docs/safety.md`: the gate is closed first, the first wave is
sent at once, then nothing counts that began before the last request could still take effect, and
the end is a proof by reads, never an acknowledgement. Closing the gate and cancelling fail open:
they go on when the store is gone, the clock cannot be measured or a listing cannot be read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from resyncctl.core.errors import (
    DeadlineError,
    LockedError,
    RecordUnwritableError,
    ResyncError,
)
from resyncctl.core.gate import GateState
from resyncctl.core.model import Order
from resyncctl.core.mutation import OutcomeKind
from resyncctl.core.open_requests import OpenRequest
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.plan import (
    CancelAction,
    CancelPlan,
    Selection,
    order_key,
)
from resyncctl.core.policy import Policy
from resyncctl.core.proof import Proof, Settled, settle_orders
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.powers import GateControl, LeaseControl, LeaseKeeper, VenueCancel
from resyncctl.ports.prompts import Interrupted, Prompter
from resyncctl.ports.views import Clock, Journal, Progress, VenueView
from resyncctl.procedures.cancel_planning import (
    CancelAllRequest,
    Planner,
    blind_cancels,
    rehearsal,
)
from resyncctl.procedures.cancel_report import RunState, report
from resyncctl.procedures.cancel_wave import (
    Sent,
    WaveTools,
    longest_wish_ms,
    send_wave,
    single_file,
)
from resyncctl.procedures.left_behind import take_up
from resyncctl.procedures.prove_absence import (
    Listing,
    ProofRequest,
    list_orders,
    remember,
    settle_all,
    watch_absence,
)
from resyncctl.procedures.take_over import Waiting, Wish, take_account, who_asked

__all__ = ["CancelAllRequest", "cancel_all"]

WAVES_MAX = 30
PAUSE_BETWEEN_WAVES_MS = 500
WAVES_BEFORE_SINGLE_FILE = 2


async def cancel_all(
    request: CancelAllRequest,
    *,
    venue: VenueView,
    cancel: VenueCancel,
    gate: GateControl,
    leases: LeaseControl,
    journal: Journal,
    clock: Clock,
    progress: Progress,
    prompter: Prompter,
    policy: Policy,
    interrupted: Interrupted = lambda: False,
    under: LeaseKeeper | None = None,
    left_behind: Callable[[], Sequence[OpenRequest]] = tuple,
) -> AccountOutcome:
    """Cancel the selected orders of one account and prove that they are gone.

    `under` is the lease of a larger procedure that this one is a step of; it is neither acquired
    nor released here. `left_behind` is asked once the account is ours for the requests of other
    runs whose outcome is not known: they are waited out and looked up before anything is proved.

    Raises:
        LockedError: Another run holds the account. Nothing was sent.
        CredentialsRefusedError: The key was refused. Nothing was sent.
        VenueUnavailableError: The exchange cannot be reached. Nothing was sent.
        TryAgainLaterError: The exchange bans or limits this host. Nothing was sent.
        StalePlanError: The plan is not the expected one. Nothing was sent.
        DeclinedError, NoTerminalError: The operator said no, or cannot be asked. Nothing was sent.
        DeadlineError: The deadline passed before anything was sent.
        RecordUnwritableError: No intent could be written anywhere. Nothing was sent.
    """
    run = _Run(
        request=request,
        venue=venue,
        cancel=cancel,
        gate=gate,
        journal=journal,
        clock=clock,
        progress=progress,
        planner=Planner(
            request=request, venue=venue, cancel=cancel, journal=journal, prompter=prompter
        ),
        policy=policy,
        interrupted=interrupted,
        left_behind=left_behind,
        state=RunState(began_ms=clock.monotonic_ms()),
    )
    if request.dry_run:
        return await run.rehearse()
    run.close_gate()
    if under is not None:
        return await run.carry_out(under)
    wish = Wish(
        account=request.account,
        request_validity_ms=policy.request_validity_ms,
        wait_ms=request.lock_timeout_ms,
        take_over=request.take_over,
    )
    waiting = Waiting(
        leases=leases, journal=journal, clock=clock, progress=progress, interrupted=interrupted
    )
    lease = await take_account(wish, waiting)
    try:
        outcome = await run.carry_out(lease)
        wanted_by = who_asked(lease, waiting)
        return replace(outcome, evidence={**outcome.evidence, "wanted_by": wanted_by})
    finally:
        lease.release()


@dataclass(slots=True, kw_only=True)
class _Run:
    """One account's run: the tools it was handed and what it has seen so far."""

    request: CancelAllRequest
    venue: VenueView
    cancel: VenueCancel
    gate: GateControl
    journal: Journal
    clock: Clock
    progress: Progress
    planner: Planner
    policy: Policy
    interrupted: Interrupted
    left_behind: Callable[[], Sequence[OpenRequest]]
    state: RunState
    lease: LeaseKeeper | None = None

    @property
    def deadline_ms(self) -> int:
        """When the run must end, on the monotonic clock."""
        return self.state.began_ms + self.request.deadline_ms

    async def rehearse(self) -> AccountOutcome:
        """Do every real check of the plan and send nothing that changes anything."""
        listing = await self._first_listing()
        selection = self.planner.selection_without_asking()
        plan = self.planner.plan(listing, selection)
        self.journal.record("plan", {"digest": plan.digest, "dry_run": True})
        return rehearsal(plan, listing, selection)

    def close_gate(self) -> None:
        """Close the gate before anything else; a gate that cannot be written stops no cancel."""
        if self.request.closes_gate:
            self._move_gate(self.request.reason)

    def _move_gate(self, reason: str) -> None:
        account = self.request.account
        try:
            reading = self.gate.move(
                account,
                GateState.UNSAFE,
                reason=reason,
                by=self.request.by,
                run_id=self.journal.run_id,
                now_ms=self.clock.now_ms(),
            )
        except RecordUnwritableError as error:
            self.state.gate_trouble = error.message
            self.progress.say(account, "gate", f"the gate could not be written: {error.message}")
        else:
            self.progress.say(account, "gate", f"gate {reading.state.value}")
        self.state.gate_closed_ms = self.clock.now_ms()

    async def carry_out(self, lease: LeaseKeeper) -> AccountOutcome:
        """Plan, confirm, cancel in waves, prove."""
        self.lease = lease
        self.journal.record(
            "cancel_all_started",
            {
                "account": self.request.account,
                "reason": self.request.reason,
                "by": self.request.by,
                "gate_closed_ms": self.state.gate_closed_ms,
            },
        )
        self.state.earlier_until_ms = take_up(
            self.left_behind(), self.request.account, seen=self.state.seen, journal=self.journal
        )
        listing = await self._first_listing()
        if self.state.clock_trouble is None:
            lease.expect_skew(self.state.skew_ms)
        selection, plan = await self.planner.agree(listing)
        if self.clock.monotonic_ms() >= self.deadline_ms:
            raise DeadlineError("the deadline passed before anything was cancelled")
        tools = self._tools(lease)
        try:
            proof, settled = await self._cancel_until_proved(listing, plan, selection, tools)
        except ResyncError as error:
            if not self.state.sent:
                raise
            # Something has left this process: no exit code that promises otherwise may be used.
            self.state.trouble = error.message
            proof, settled = None, settle_orders(dict.fromkeys(self.state.seen, error.message))
        if self._lost_lease() is not None:
            proof = None
        outcome = report(
            self.request.account,
            self.state,
            proof=proof,
            settled=settled,
            plan=plan,
            finished_ms=self.clock.monotonic_ms(),
            as_of_ms=self.clock.now_ms(),
            interrupted=self.interrupted(),
            selection=selection,
            not_covered=self.venue.profile.not_covered,
        )
        self.journal.record(
            "cancel_all_ended",
            {"account": self.request.account, "status": outcome.status, **outcome.evidence},
        )
        return outcome

    def _lost_lease(self) -> str | None:
        """Return why the account is not ours any more; the gate is closed then if it was not.

        Raises:
            LockedError: It is not ours, and nothing was sent.
        """
        lost = self.lease.why_lost(self.clock.now_ms()) if self.lease is not None else None
        if lost is None:
            return None
        if self.state.gate_closed_ms is None:
            self._move_gate(f"during {self.request.reason}: {lost}")
        if not self.state.sent:
            raise LockedError(lost, hint="nothing was sent; the other run goes on")
        self.state.trouble = lost
        return lost

    async def _first_listing(self) -> Listing:
        """Measure the clock, then list. A venue that cannot be reached at all ends the run here."""
        account = self.request.account
        self.progress.say(account, "clock", "measuring the exchange's clock")
        reading = await self.venue.measure_clock()
        if isinstance(reading, Unknown):
            self.state.clock_trouble = reading.reason
        else:
            self.state.skew_ms = abs(reading.offset_ms) + reading.uncertainty_ms
        self.progress.say(account, "list", "listing open orders")
        listing = await list_orders(self.venue, self.request.scopes, self.clock)
        if len(listing.unreadable) == len(self.request.scopes):
            # Nothing could be read at all: a refused key, a ban or an unreachable exchange is an
            # answer that ends the run here, with its own exit code, before anything was sent.
            await self.venue.read_identity(self.request.scopes[0].product)
        remember(self.state.seen, self.request.earlier)
        self.state.before = len(listing.orders)
        return listing

    def _tools(self, lease: LeaseKeeper) -> WaveTools:
        return WaveTools(
            account=self.request.account,
            cancel=self.cancel,
            journal=self.journal,
            lease=lease,
            clock=self.clock,
            progress=self.progress,
            request_validity_ms=self.policy.request_validity_ms,
            interrupted=self._told_to_stop,
            sent=self.state.sent,
        )

    async def _cancel_until_proved(
        self, listing: Listing, plan: CancelPlan, selection: Selection, tools: WaveTools
    ) -> tuple[Proof | None, Settled]:
        """Send waves until absence is proved, or time is up; then ask what became of each order."""
        proof: Proof | None = None
        while True:
            listing = await self._send_waves(listing, selection, tools)
            if self._must_stop() or listing.selected(selection):
                break
            if not self.request.prove:
                return None, settle_orders({})
            result = await watch_absence(
                self._proof_request(selection),
                venue=self.venue,
                clock=self.clock,
                progress=self.progress,
                interrupted=self._told_to_stop,
            )
            proof = result.proof
            if not result.unexpected:
                break
            self.state.reappeared += len(result.unexpected)
            listing = Listing(self.clock.monotonic_ms(), result.unexpected, ())
        settled = await settle_all(
            self._seen_and_wanted(plan),
            venue=self.venue,
            clock=self.clock,
            progress=self.progress,
            deadline_ms=min(self.deadline_ms, self.clock.monotonic_ms() + self._horizon_ms()),
            interrupted=self._told_to_stop,
        )
        return proof, settled

    def _seen_and_wanted(self, plan: CancelPlan) -> dict[str, Order]:
        kept = {order_key(order) for order in plan.kept}
        return {key: order for key, order in self.state.seen.items() if key not in kept}

    async def _send_waves(
        self, listing: Listing, selection: Selection, tools: WaveTools
    ) -> Listing:
        """Cancel what is listed, list again, until nothing selected shows in a readable listing."""
        for wave in range(1, WAVES_MAX + 1):
            remember(self.state.seen, listing.selected(selection))
            actions = self._actions(listing, selection, wave)
            if actions:
                sent = await send_wave(actions, tools)
                self._note_wave(sent)
                await self.clock.sleep_ms(longest_wish_ms(sent))
            elif not listing.unreadable:
                return listing
            if self._must_stop():
                return listing
            if wave > 1 or not actions:
                await self.clock.sleep_ms(PAUSE_BETWEEN_WAVES_MS * min(wave, 10))
            listing = await list_orders(self.venue, self.request.scopes, self.clock)
            self.state.left = len(listing.selected(selection))
        return listing

    def _actions(self, listing: Listing, selection: Selection, wave: int) -> Sequence[CancelAction]:
        """Plan one wave; scopes that cannot be listed are cancelled blindly, once."""
        actions = self.planner.plan(listing, selection).actions
        if wave > WAVES_BEFORE_SINGLE_FILE:
            # A whole-symbol cancel that leaves orders resting is tried another way.
            actions = single_file([a for a in actions if a.orders])
        blind = blind_cancels(
            listing,
            selection,
            self.cancel,
            self.request.known_symbols,
            self.state.cancelled_blindly,
        )
        return (*actions, *blind)

    def _note_wave(self, sent: Sequence[Sent]) -> None:
        self.state.waves += 1
        unknown = sum(item.outcome.kind is OutcomeKind.UNKNOWN for item in sent)
        self.progress.say(
            self.request.account, "wave", "wave sent", requests=len(sent), unknown=unknown
        )

    def _proof_request(self, selection: Selection) -> ProofRequest:
        """Nothing counts before our last cancel and the engine's last order can have landed."""
        now_wall_ms = self.clock.now_ms()
        last_effect_ms = max((item.deadline_ms for item in self.state.sent), default=0)
        last_effect_ms = max(last_effect_ms, self.state.earlier_until_ms)
        if self.state.gate_closed_ms is not None:
            engine_ms = self.state.gate_closed_ms + self.venue.profile.request_validity_ms
            last_effect_ms = max(last_effect_ms, engine_ms)
        quiet_ms = max(0, last_effect_ms - now_wall_ms) + self.state.skew_ms
        self.state.quiesce_ms = max(self.state.quiesce_ms, quiet_ms)
        return ProofRequest(
            scopes=self.request.scopes,
            selection=selection,
            not_before_ms=self.clock.monotonic_ms() + quiet_ms,
            horizon_ms=self._horizon_ms(),
            required_reads=self.policy.proof_reads,
            deadline_ms=self.deadline_ms,
        )

    def _horizon_ms(self) -> int:
        if self.policy.staleness_horizon_ms is not None:
            return self.policy.staleness_horizon_ms
        return self.venue.profile.staleness_horizon_ms

    def _told_to_stop(self) -> bool:
        """Whether the operator interrupts, or the account is not ours any more."""
        lost = self.lease is not None and self.lease.why_lost(self.clock.now_ms()) is not None
        return lost or self.interrupted()

    def _must_stop(self) -> bool:
        return self._told_to_stop() or self.clock.monotonic_ms() >= self.deadline_ms
