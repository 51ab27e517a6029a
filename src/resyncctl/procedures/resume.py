"""Let an account trade again: conditions, a typed name, UNSAFE -> SAFE -> RUNNING, and a watch.

Promises: the gate moves only on a SAFE verdict that holds in the moment of moving (fresh, about
this closing of the gate, made from the policy, manifest, tool and belief that stand now), with no
countdown running that could cancel the resumed engine's orders; a recorded verdict is looked at
again before it is used; every step is journaled; afterwards somebody watches, or the outcome says
that nobody does. Called by `verify --resume`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.errors import ResyncError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from resyncctl.core.model import Scope
from resyncctl.core.open_requests import OpenRequest
from resyncctl.core.outcome import AccountOutcome, ActionRecord
from resyncctl.core.plan import Selection
from resyncctl.core.policy import Policy
from resyncctl.core.safety import NOT_KNOWN, Safety, VerdictRecord, opening_conditions
from resyncctl.core.switches import ArmedSwitch, SwitchState
from resyncctl.ports.powers import GateControl, LeaseControl, LeaseKeeper
from resyncctl.ports.prompts import Interrupted, Prompter
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
from resyncctl.procedures.establish import Established, EstablishRequest, Tools, establish
from resyncctl.procedures.held_lease import HeldLease
from resyncctl.procedures.reconcile import ReconcileRequest, digests_now, look_once
from resyncctl.procedures.take_over import Waiting, Wish, take_account
from resyncctl.procedures.verify import evidence_of, outcome_of, record_verdict
from resyncctl.procedures.watch_window import WatchWindow, watch_window
from resyncctl.procedures.witness import WitnessedJournal, WitnessedVenue

ENGINE_WAIT_MS = 5_000
SwitchMaker = Callable[[LeaseKeeper], Switches]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequest:
    """What is asked.

    `confirmed_name` answers the typed confirmation. `watch_ms` is how long to watch afterwards: the
    policy's window where it is None, not at all where it is 0. `countdowns` are dead-man switches
    that this host may have left armed. `deadline_ms` bounds the proof.
    """

    account: str
    scopes: tuple[Scope, ...]
    reason: str
    by: str
    mode: str = "LIVE"
    symbols: tuple[str, ...] = ()
    confirmed_name: str | None = None
    watch_ms: int | None = None
    countdowns: tuple[ArmedSwitch, ...] = ()
    deadline_ms: int = 300_000
    lock_timeout_ms: int = 0
    take_over: str | None = None


async def resume(
    request: ResumeRequest,
    *,
    venue: VenueView,
    engine: EngineView,
    gate: GateControl,
    gate_view: GateView,
    leases: LeaseControl,
    silence: SilenceView,
    journal: Journal,
    clock: Clock,
    progress: Progress,
    prompter: Prompter,
    policy: Policy,
    switches: Switches | SwitchMaker | None,
    remember: Callable[[VerdictRecord], bool],
    verdict: VerdictRecord | None = None,
    newest: VerdictRecord | None = None,
    interrupted: Interrupted = lambda: False,
    under: LeaseKeeper | None = None,
    left_behind: Callable[[], Sequence[OpenRequest]] = tuple,
) -> AccountOutcome:
    """Move the gate to RUNNING when everything holds, and watch.

    `verdict` is the last recorded safety verdict and `newest` the newest of any kind.

    Raises:
        LockedError: Another run holds the account. The gate did not move.
        DeclinedError, NoTerminalError: The name was wrong, or cannot be asked for.
        CredentialsRefusedError, VenueUnavailableError, TryAgainLaterError: At first contact.
        RecordUnwritableError: A copy of the gate, or the journal, could not be written.
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
    if gate_view.read(request.account).state is GateState.RUNNING:
        return _already(request, tools)
    lease = under or await _take(request, leases, tools)
    try:
        run = _Run(
            request=request,
            gate=gate,
            prompter=prompter,
            remember=remember,
            tools=tools,
            lease=lease,
            switches=switches if isinstance(switches, Switches | None) else switches(lease),
            left_behind=tuple(left_behind()),
        )
        outcome = await run.open(verdict, newest)
    finally:
        # The watch needs no lease, and whoever has to act meanwhile must not wait for it.
        if isinstance(lease, HeldLease) and under is None:
            lease.release()
    return await _watched(request, outcome, gate, tools)


async def _watched(
    request: ResumeRequest, resumed: AccountOutcome, gate: GateControl, tools: Tools
) -> AccountOutcome:
    """Watch what was resumed, for as long as was asked for."""
    asked_ms = request.watch_ms
    duration_ms = tools.policy.watch_window_ms if asked_ms is None else asked_ms
    if resumed.status != "resumed" or not duration_ms:
        return resumed
    window = WatchWindow(
        account=request.account,
        scopes=request.scopes,
        symbols=request.symbols,
        duration_ms=duration_ms,
    )
    return await watch_window(window, resumed, gate=gate, tools=tools)


def _already(request: ResumeRequest, tools: Tools) -> AccountOutcome:
    reading = tools.gate.read(request.account)
    return AccountOutcome(
        account=request.account,
        status="refused",
        exit_code=ExitCode.REFUSED,
        evidence={
            **gate_step.reading_lines(reading),
            "missing": ["the gate is RUNNING already; there is nothing to resume"],
        },
        next_step=f"resyncctl reconcile {request.account}",
    )


async def _take(request: ResumeRequest, leases: LeaseControl, tools: Tools) -> HeldLease:
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
    """One account's resume from the moment when this run holds the account."""

    request: ResumeRequest
    gate: GateControl
    prompter: Prompter
    remember: Callable[[VerdictRecord], bool]
    tools: Tools
    lease: LeaseKeeper
    switches: Switches | None
    left_behind: tuple[OpenRequest, ...]

    async def open(
        self, verdict: VerdictRecord | None, newest: VerdictRecord | None
    ) -> AccountOutcome:
        """Establish or re-check, confirm, and take both steps."""
        self.tools.journal.record(
            "resume_started",
            {"account": self.request.account, "reason": self.request.reason, "by": self.request.by},
        )
        kept = verdict if await self._still_holds(verdict, newest) else None
        found: Established | None = None
        if kept is None:
            found = await establish(self._what_to_establish(), self._looking())
            record_verdict(found, self.tools.journal)
            kept = found.record(self.tools.journal.run_id)
            self.remember(kept)
            newest = None
            if found.safety is not Safety.SAFE:
                return outcome_of(found)
        opening = gate_step.OpenRequest(
            account=self.request.account,
            to=GateState.RUNNING,
            reason=self.request.reason,
            by=self.request.by,
            mode=self.request.mode,
            confirmed_name=self.request.confirmed_name,
        )
        await gate_step.confirm(opening, self.prompter)
        return await self._take_steps(opening, kept, newest, found)

    async def _take_steps(
        self,
        opening: gate_step.OpenRequest,
        verdict: VerdictRecord,
        newest: VerdictRecord | None,
        found: Established | None,
    ) -> AccountOutcome:
        """Take each step on the conditions of its own moment: a name was typed meanwhile."""
        evidence = evidence_of(found) if found else {"verdict_run": verdict.run_id}
        actions: list[ActionRecord] = []
        for to in (GateState.SAFE, GateState.RUNNING):
            if to is self.tools.gate.read(opening.account).state:
                continue
            self.lease.assure(self.tools.clock.now_ms(), self.tools.policy.request_validity_ms)
            trouble = await self._trouble_now(just_moved=bool(actions))
            if trouble is not None:
                return self._refused(opening, verdict, trouble)
            outcome = gate_step.step(
                replace(opening, to=to),
                gate_step.Grounds(verdict=verdict, digests_now=self._digests(), newest=newest),
                view=self.tools.gate,
                gate=self.gate,
                journal=self.tools.journal,
                clock=self.tools.clock,
            )
            if outcome.exit_code is not ExitCode.OK:
                return replace(outcome, actions=tuple(actions))
            actions += outcome.actions
        return AccountOutcome(
            account=opening.account,
            status="resumed",
            exit_code=ExitCode.OK,
            verdict=Verdict.CLEAN,
            actions=tuple(actions),
            evidence={
                **evidence,
                **gate_step.reading_lines(self.tools.gate.read(opening.account)),
                "conditions": [condition.to_json() for condition in verdict.conditions],
                "nobody_watches": True,
            },
        )

    async def _trouble_now(self, *, just_moved: bool = False) -> str | None:
        """What a verdict cannot know: the engine's silence and the countdowns of this moment."""
        now_ms = self.tools.clock.now_ms()
        gate = self.tools.gate.read(self.request.account)
        silence = self.tools.silence.observe(self.request.account, gate, now_ms)
        required = self.tools.policy.require_engine_silence
        # Right after our step to SAFE an engine may not have acknowledged that move yet.
        if required and not silence.proved and not just_moved:
            return f"the engine is not silent any more: {silence.how}"
        state = await self._stop_countdowns()
        if state.blocks_resume(now_ms):
            return "a dead-man switch may still cancel the resumed engine's orders"
        return None

    def _refused(
        self, opening: gate_step.OpenRequest, verdict: VerdictRecord, trouble: str
    ) -> AccountOutcome:
        self.tools.journal.record("resume_refused", {"account": opening.account, "why": trouble})
        reading = self.tools.gate.read(opening.account)
        return AccountOutcome(
            account=opening.account,
            status="refused",
            exit_code=ExitCode.BLOCKED,
            evidence={
                **gate_step.reading_lines(reading),
                "missing": [trouble],
                "conditions": [condition.to_json() for condition in verdict.conditions],
            },
            next_step=f"resyncctl verify {opening.account}",
        )

    async def _still_holds(
        self, verdict: VerdictRecord | None, newest: VerdictRecord | None
    ) -> bool:
        """Whether a recorded verdict is valid, and a look at both sides agrees with it."""
        if verdict is None or not verdict.opens:
            return False
        reading = self.tools.gate.read(self.request.account)
        to = GateState.SAFE if reading.state is GateState.UNSAFE else GateState.RUNNING
        conditions = opening_conditions(
            reading, to, verdict, self._digests(), self.tools.clock.now_ms(), newest=newest
        )
        if not all(condition.holds for condition in conditions):
            return False
        if not await self._is_silent_soon() or await self._trouble_now() is not None:
            return False
        self.tools.progress.say(
            self.request.account, "verdict", f"looking again at the verdict of run {verdict.run_id}"
        )
        try:
            look = await look_once(
                ReconcileRequest(
                    account=self.request.account,
                    scopes=self.request.scopes,
                    symbols=self.request.symbols,
                ),
                venue=self.tools.venue,
                engine=self.tools.engine,
                clock=self.tools.clock,
                progress=self.tools.progress,
                policy=self.tools.policy,
            )
        except ResyncError:
            return False
        return look.comparison.verdict is Verdict.CLEAN and not look.venue.not_covered

    async def _is_silent_soon(self) -> bool:
        """Give an engine that was just started a moment to acknowledge the gate."""
        clock = self.tools.clock
        until_ms = clock.monotonic_ms() + ENGINE_WAIT_MS
        while True:
            gate = self.tools.gate.read(self.request.account)
            seen = self.tools.silence.observe(self.request.account, gate, clock.now_ms())
            if seen.proved or not self.tools.policy.require_engine_silence:
                return True
            if clock.monotonic_ms() >= until_ms or self.tools.interrupted():
                return False
            self.tools.progress.say(
                self.request.account, "silence", "waiting for the engine to acknowledge the gate"
            )
            await clock.sleep_ms(500)

    def _digests(self) -> dict[str, str]:
        belief = self.tools.engine.read(self.request.account, self.tools.clock.now_ms())
        return {
            **digests_now(self.request.scopes, self.tools.policy),
            "checkpoint": belief.source.digest or NOT_KNOWN,
        }

    def _what_to_establish(self) -> EstablishRequest:
        return EstablishRequest(
            account=self.request.account,
            scopes=self.request.scopes,
            deadline_ms=self.tools.clock.monotonic_ms() + self.request.deadline_ms,
            symbols=self.request.symbols,
            selection=Selection(),
            left_behind=self.left_behind,
        )

    def _looking(self) -> Tools:
        return replace(self.tools, each_read=self._keep_alive, countdowns=self._stop_countdowns)

    async def _keep_alive(self) -> None:
        needed_ms = 2 * self.tools.policy.request_validity_ms
        self.lease.assure(self.tools.clock.now_ms(), needed_ms)

    async def _stop_countdowns(self) -> SwitchState:
        """Stop what runs, where that is possible; without a switch wait for nothing and say it."""
        if self.switches is not None:
            return await self.switches.disarm()
        now_ms = self.tools.clock.now_ms()
        running = [one for one in self.request.countdowns if one.fires_by_ms > now_ms]
        return SwitchState(
            armed=tuple(one for one in running if one.certain),
            unresolved=tuple(one for one in running if not one.certain),
        )
