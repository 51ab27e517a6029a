"""One account's run of `flatten`: agree, cancel, reduce, prove, in this order.

Promises: nothing is sent before the plan was agreed on; once something was sent, the run ends with
an outcome that says what is known and never with an error that promises that nothing left. Called
by `procedures.flatten`, which takes the account first.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from resyncctl.core.errors import DeadlineError, RecordUnwritableError, ResyncError
from resyncctl.core.flatten_holdings import AccountReading, HoldingKey
from resyncctl.core.flatten_order import EarlierReduction
from resyncctl.core.flatten_plan import FlattenPlan, plan_flatten
from resyncctl.core.gate import GateState
from resyncctl.core.money import plain
from resyncctl.core.open_requests import OpenRequest
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.powers import (
    GateControl,
    LeaseControl,
    LeaseKeeper,
    VenueCancel,
    VenueReduce,
)
from resyncctl.ports.prompts import Interrupted, Prompter
from resyncctl.ports.views import Clock, Journal, MarketView, Progress, VenueView
from resyncctl.procedures.cancel_all import cancel_all
from resyncctl.procedures.flatten_earlier import resolve_earlier
from resyncctl.procedures.flatten_leg import LegResult, flatten_leg, is_left
from resyncctl.procedures.flatten_order import Budget, OrderTools
from resyncctl.procedures.flatten_planning import (
    FlattenRequest,
    ShowPlan,
    cancel_request,
    check_saved,
    choose_protective,
    confirm,
    wish_of,
    within_policy,
)
from resyncctl.procedures.flatten_reading import products_of, read_account
from resyncctl.procedures.flatten_report import FlattenState, rehearsed, report
from resyncctl.procedures.held_lease import SKEW_UNMEASURED_MS
from resyncctl.procedures.prove_absence import list_orders
from resyncctl.procedures.prove_flat import FlatRequest, watch_flat


@dataclass(slots=True, kw_only=True)
class FlattenRun:
    """One account's run: the tools it was handed and what it has seen so far."""

    request: FlattenRequest
    venue: VenueView
    market: MarketView
    cancel: VenueCancel
    reduce: VenueReduce
    gate: GateControl
    leases: LeaseControl
    journal: Journal
    clock: Clock
    progress: Progress
    prompter: Prompter
    policy: Policy
    interrupted: Interrupted
    show_plan: ShowPlan
    left_behind: Callable[[], Sequence[OpenRequest]]
    earlier: Callable[[], Sequence[EarlierReduction]]
    state: FlattenState
    skew_ms: int = SKEW_UNMEASURED_MS

    @property
    def stop_ms(self) -> int:
        """When the run must end, on the monotonic clock."""
        return self.state.began_ms + self.request.deadline_ms

    @property
    def horizon_ms(self) -> int:
        """How long a listing of this exchange may lag."""
        if self.policy.staleness_horizon_ms is not None:
            return self.policy.staleness_horizon_ms
        return self.venue.profile.staleness_horizon_ms

    def close_gate(self) -> None:
        """Close the gate before anything else; a gate that cannot be written stops nothing."""
        try:
            reading = self.gate.move(
                self.request.account,
                GateState.UNSAFE,
                reason=self.request.reason,
                by=self.request.by,
                run_id=self.journal.run_id,
                now_ms=self.clock.now_ms(),
            )
        except RecordUnwritableError as error:
            self.state.gate_trouble = error.message
            self.say("gate", f"the gate could not be written: {error.message}")
        else:
            self.say("gate", f"gate {reading.state.value}")

    async def rehearse(self) -> AccountOutcome:
        """Do every real check of the plan and send nothing that changes anything."""
        plan, reading = await self._plan()
        if self.request.plan is not None:
            check_saved(self.request.plan, plan, self.request)
        self.journal.record("plan", {"digest": plan.digest, "dry_run": True})
        kept = [order for order in reading.orders if order.protective]
        if self.request.protective == "cancel":
            kept = []
        self.show_plan(plan, reading)
        return rehearsed(
            self.request.account,
            plan,
            kept=kept,
            earlier=len(self.earlier()),
            as_of_ms=self.clock.now_ms(),
        )

    async def carry_out(self, lease: LeaseKeeper) -> AccountOutcome:
        """Agree on a plan, cancel, reduce, prove."""
        self.journal.record(
            "flatten_started",
            {"account": self.request.account, "reason": self.request.reason, "by": self.request.by},
        )
        fresh, reading = await self._plan()
        if self.state.clock_trouble is None:
            lease.expect_skew(self.skew_ms)
        tools = self._tools(lease, fresh)
        earlier = await resolve_earlier(left := self.earlier(), tools)
        self.state.earlier, self.state.unresolved_earlier = earlier.resolved, earlier.open
        if left:
            fresh, reading = await self._plan()
            tools.skew_ms = max(tools.skew_ms, self.skew_ms)
        plan = await self._agree(fresh, reading)
        tools.budget.caps = dict(plan.caps)
        if self.clock.monotonic_ms() >= self.stop_ms:
            raise DeadlineError("the deadline passed before anything was sent")
        try:
            await self._cancel_then_reduce(plan, tools, earlier.blocked)
        except ResyncError as error:
            if not self._has_sent(tools):
                raise
            # Something has left this process: no exit code that promises otherwise may be used.
            self.state.trouble = error.message
        self.state.trouble = self.state.trouble or tools.trouble
        outcome = report(
            self.request.account,
            self.state,
            plan,
            sent=tools.sent,
            budget=tools.budget,
            interrupted=self.interrupted(),
            finished_ms=self.clock.monotonic_ms(),
            as_of_ms=self.clock.now_ms(),
        )
        return self._record_end(outcome)

    async def _plan(self) -> tuple[FlattenPlan, AccountReading]:
        """Measure the clock, read the account, plan. What cannot be read at all ends the run."""
        self.say("clock", "measuring the exchange's clock")
        measured = await self.venue.measure_clock()
        if isinstance(measured, Unknown):
            self.state.clock_trouble = measured.reason
        else:
            self.skew_ms = abs(measured.offset_ms) + measured.uncertainty_ms
        wish = wish_of(self.request, self.policy)
        self.say("read", "reading holdings, orders and books")
        reading, choice = await read_account(
            self.request.scopes,
            wish.choice,
            venue=self.venue,
            market=self.market,
            clock=self.clock,
            known_pairs=self.request.known_pairs,
        )
        products = products_of(self.request.scopes)
        if len(reading.unread) >= len(products) and not reading.holdings:
            # A refused key, a ban or an unreachable exchange is an answer that ends the run here.
            await self.venue.read_identity(products[0])
        why_not = {one: why for one in products if (why := self.reduce.why_not(one)) is not None}
        plan = plan_flatten(
            reading,
            replace(wish, choice=choice),
            why_not=why_not,
            validity_ms=self.policy.flatten_plan_validity_ms,
        )
        return within_policy(plan, self.policy), reading

    async def _agree(self, fresh: FlattenPlan, reading: AccountReading) -> FlattenPlan:
        """Compare with the saved plan, show, ask; return the plan that was agreed on."""
        plan = fresh
        if self.request.plan is not None:
            check_saved(self.request.plan, fresh, self.request)
            plan = within_policy(self.request.plan, self.policy)
        self.show_plan(plan, reading)
        self.state.protective = await choose_protective(self.request, reading, self.prompter)
        self.journal.record(
            "plan",
            {
                "digest": plan.digest,
                "fingerprint": plan.fingerprint,
                "holdings": len(plan.targets),
                "protective": self.state.protective,
                "caps": {quote: plain(cap) for quote, cap in plan.caps.items()},
            },
        )
        await confirm(self.request, plan, self.venue.profile.venue, self.prompter)
        late_ms = self.clock.now_ms() - plan.expires_ms
        if late_ms > 0:
            # Whoever answers late answers about an account that is not there any more.
            check_saved(plan, replace(fresh, made_at_ms=self.clock.now_ms()), self.request)
        self.state.plan = plan
        return plan

    async def _cancel_then_reduce(
        self, plan: FlattenPlan, tools: OrderTools, blocked: frozenset[HoldingKey]
    ) -> None:
        self.state.cancelled = await self._cancel_all(plan, tools.lease)
        targets = [target for target in plan.reducible if target.key not in blocked]
        self.say("reduce", "reducing", holdings=len(targets))
        ends = await asyncio.gather(
            *(
                flatten_leg(target, plan.wish, market=self.market, tools=tools)
                for target in targets
            ),
            return_exceptions=True,
        )
        self.state.legs = [end for end in ends if isinstance(end, LegResult)]
        await self._prove(plan)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _cancel_all(self, plan: FlattenPlan, lease: LeaseKeeper) -> AccountOutcome:
        left_ms = self.stop_ms - self.clock.monotonic_ms()
        return await cancel_all(
            cancel_request(
                self.request,
                plan,
                protective=self.state.protective,
                # Half of the time at most: reducing must get its turn when this cannot finish.
                deadline_ms=max(1, left_ms // 2),
            ),
            venue=self.venue,
            cancel=self.cancel,
            gate=self.gate,
            leases=self.leases,
            journal=self.journal,
            clock=self.clock,
            progress=self.progress,
            prompter=self.prompter,
            policy=self.policy,
            interrupted=self.interrupted,
            under=lease,
            left_behind=self.left_behind,
        )

    async def _prove(self, plan: FlattenPlan) -> None:
        """Read the end until it is proved, then list what still rests."""
        legs = {leg.target.key: leg for leg in self.state.legs}
        hopeless = {one.key for one in plan.targets if is_left(one, legs.get(one.key))}
        self.state.proof = await watch_flat(
            FlatRequest(
                products=products_of(self.request.scopes),
                choice=plan.wish.choice,
                flat_below={target.key: target.flat_below for target in plan.targets},
                hopeless=frozenset(hopeless),
                not_before_ms=max((leg.quiet_ms for leg in self.state.legs), default=0),
                horizon_ms=self.horizon_ms,
                required_reads=self.policy.proof_reads,
                stop_ms=max(self.stop_ms, self.clock.monotonic_ms()),
            ),
            venue=self.venue,
            clock=self.clock,
            progress=self.progress,
            interrupted=self.interrupted,
        )
        self.state.resting = (await list_orders(self.venue, self.request.scopes, self.clock)).orders

    def _tools(self, lease: LeaseKeeper, plan: FlattenPlan) -> OrderTools:
        return OrderTools(
            account=self.request.account,
            reduce=self.reduce,
            venue=self.venue,
            journal=self.journal,
            lease=lease,
            clock=self.clock,
            progress=self.progress,
            interrupted=self.interrupted,
            budget=Budget(dict(plan.caps)),
            request_validity_ms=self.policy.request_validity_ms,
            horizon_ms=self.horizon_ms,
            stop_ms=self.stop_ms,
            skew_ms=self.skew_ms,
        )

    def _has_sent(self, tools: OrderTools) -> bool:
        cancelled: Sequence[object] = self.state.cancelled.actions if self.state.cancelled else ()
        return bool(tools.attempts or cancelled)

    def _record_end(self, outcome: AccountOutcome) -> AccountOutcome:
        """Write down how it ended; a record that cannot be written changes nothing any more."""
        try:
            self.journal.record(
                "flatten_ended",
                {
                    "account": self.request.account,
                    "status": outcome.status,
                    "whole": not (self.state.plan and self.state.plan.wish.choice.symbols),
                    **outcome.evidence,
                },
            )
        except RecordUnwritableError as error:
            evidence = {**outcome.evidence, "record_trouble": error.message}
            return replace(outcome, evidence=evidence)
        return outcome

    def say(self, stage: str, text: str, **numbers: object) -> None:
        """Tell one step."""
        self.progress.say(self.request.account, stage, text, **numbers)
