"""Establish whether an account is safe: look at everything that SAFE stands on, and judge it.

    watch      listings of every scope, all begun when nothing could land any more
    settle     a final status for every order ever seen
    compare    two equal readings, the engine's belief beside them, and the conservation law
    judge      every condition with its evidence; UNKNOWN, DISCREPANT or SAFE

It holds no power: it reads, waits and judges. Called by `verify`, `resync` and `resume`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from resyncctl.core.conservation import Conservation, Holdings, conserve, holdings_of
from resyncctl.core.discrepancy import Verdict
from resyncctl.core.errors import TryAgainLaterError, VenueUnavailableError
from resyncctl.core.model import Order, Scope
from resyncctl.core.open_requests import OpenRequest, last_deadline_ms
from resyncctl.core.plan import Selection, order_key
from resyncctl.core.policy import Policy
from resyncctl.core.proof import Settled
from resyncctl.core.safety import (
    NOT_KNOWN,
    Condition,
    Safety,
    VerdictKind,
    VerdictRecord,
    judge_safety,
)
from resyncctl.core.safety_conditions import SafetyEvidence, safety_conditions
from resyncctl.core.snapshot import Known, Unknown
from resyncctl.core.switches import ARM, DISARM, SwitchState
from resyncctl.ports.prompts import Interrupted
from resyncctl.ports.views import Clock, EngineView, GateView, Progress, SilenceView
from resyncctl.procedures.establish_watch import Landing, Watched, WatchRequest, watch
from resyncctl.procedures.holdings import read_holdings
from resyncctl.procedures.prove_absence import settle_all
from resyncctl.procedures.reconcile import (
    LASTING,
    PASSING,
    RESTS_AT_THE_EXCHANGE,
    Look,
    ReconcileRequest,
    digests_now,
    exchange_may_answer_otherwise,
    look_once,
)
from resyncctl.procedures.witness import WitnessedJournal, WitnessedVenue

__all__ = ["EstablishRequest", "Established", "Tools", "establish"]

ANSWERED_OTHERWISE = frozenset({ARM, DISARM, "reduce", "cancel_order", "cancel_symbol"})
"""Requests that leave nothing behind once their deadline has passed."""

PAUSE_MAX_MS = 15_000


async def _nothing() -> None:
    return None


async def _no_countdowns() -> SwitchState:
    return SwitchState()


@dataclass(frozen=True, slots=True, kw_only=True)
class EstablishRequest:
    """What is to be established.

    `selection` says which orders are unexpected; `expected` are keys of orders that may rest all
    the same. `left_behind` are requests of other runs whose outcome nobody recorded. `began` are
    the holdings at the beginning, where the caller has read them. `deadline_ms` is of the monotonic
    clock.
    """

    account: str
    scopes: tuple[Scope, ...]
    deadline_ms: int
    symbols: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
    expected: frozenset[str] = frozenset()
    left_behind: tuple[OpenRequest, ...] | Unknown = ()
    began: Holdings | Unknown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What looking needs.

    `each_read` and `countdowns` belong to whoever keeps a dead-man switch: the one is called
    between readings, the other stops what runs before the judgement. `before_compare` is called
    before both sides are compared: there our own checkpoint is repaired.
    """

    venue: WitnessedVenue
    engine: EngineView
    gate: GateView
    silence: SilenceView
    journal: WitnessedJournal
    clock: Clock
    progress: Progress
    policy: Policy
    interrupted: Interrupted
    each_read: Callable[[], Awaitable[object]] = _nothing
    countdowns: Callable[[], Awaitable[SwitchState]] = _no_countdowns
    before_compare: Callable[[], Awaitable[object]] = _nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Established:
    """The judgement, with what it stands on."""

    account: str
    safety: Safety
    conditions: tuple[Condition, ...]
    as_of_ms: int
    valid_until_ms: int
    digests: Mapping[str, str]
    gate_sequence: int
    unexpected: tuple[Order, ...]
    kept: tuple[Order, ...]
    settled: Settled
    look: Look
    proof_ms: int
    proof_reads: int

    @property
    def failing(self) -> tuple[Condition, ...]:
        """The conditions that do not hold or are not known."""
        return tuple(one for one in self.conditions if not (one.holds and one.known))

    def record(self, run_id: str) -> VerdictRecord:
        """Return the verdict as it is remembered."""
        verdict = {
            Safety.SAFE: Verdict.CLEAN,
            Safety.DISCREPANT: Verdict.DISCREPANT,
            Safety.UNKNOWN: Verdict.UNKNOWN,
        }[self.safety]
        return VerdictRecord(
            account=self.account,
            verdict=verdict,
            blocks_resume=self.safety is not Safety.SAFE,
            as_of_ms=self.as_of_ms,
            valid_until_ms=self.valid_until_ms,
            run_id=run_id,
            digests=self.digests,
            kind=VerdictKind.SAFETY,
            gate_sequence=self.gate_sequence,
            conditions=self.conditions,
        )


async def establish(request: EstablishRequest, tools: Tools) -> Established:
    """Look at everything that SAFE stands on, and judge it.

    Raises:
        CredentialsRefusedError: The key was refused at first contact.
        VenueUnavailableError: The exchange cannot be reached.
        TryAgainLaterError: The exchange asks for patience at first contact.
        RecordUnwritableError: The verdict could not be journaled.
    """
    venue = tools.venue
    tools.progress.say(request.account, "clock", "measuring the exchange's clock")
    measured = await venue.measure_clock()
    for one in _left_behind(request):
        for order in one.orders:
            venue.seen.setdefault(order_key(order), order)
    began = request.began
    if began is None:
        tools.progress.say(request.account, "beginning", "reading what the account holds")
        began = await read_beginning(request, tools)
    watched = await watch(_watch_request(request, tools), tools)
    settled = await _settle(request, watched, tools)
    countdowns = await tools.countdowns()
    look, law = await _compare(request, began, tools, patient=not watched.unexpected)
    clock_words = _clock_words(measured, venue)
    return _judge(request, tools, _Seen(clock_words, watched, settled, countdowns, look, law))


async def read_beginning(request: EstablishRequest, tools: Tools) -> Holdings | Unknown:
    """Read what the account holds now, for the conservation law."""
    believed = tools.engine.read(request.account, tools.clock.now_ms())
    symbols = {*request.symbols, *(order.symbol for order in tools.venue.seen.values())}
    for section in (believed.orders, believed.fills, believed.positions):
        if isinstance(section, Known):
            symbols |= {row.symbol for row in section.data}
    products = tuple(dict.fromkeys(scope.product for scope in request.scopes))
    return await read_holdings(
        tools.venue, products, sorted(symbols), tools.clock, tools.venue.offset_ms or 0
    )


def _left_behind(request: EstablishRequest) -> tuple[OpenRequest, ...]:
    return () if isinstance(request.left_behind, Unknown) else request.left_behind


def _unanswered(request: EstablishRequest, tools: Tools) -> tuple[str, ...] | Unknown:
    """Return the requests of which nothing can say what became of them.

    A request about orders is answered by the final status of each of them, a countdown by its end,
    and a reducing order, which never rests, by the fills and positions that are read after its
    deadline; all of these are conditions of their own.
    """
    if isinstance(request.left_behind, Unknown):
        return request.left_behind
    silent = [
        f"{one.action} of run {one.run_id}"
        for one in request.left_behind
        if not one.orders and one.action not in ANSWERED_OTHERWISE
    ]
    return (*silent, *tools.journal.unanswered)


def _clock_words(reading: object, venue: WitnessedVenue) -> str | Unknown:
    """Any measurement of this run counts: one that fails takes no other back."""
    if isinstance(reading, Unknown) and venue.offset_ms is None:
        return reading
    return f"{venue.offset_ms} ms off, known within {venue.skew_ms} ms"


def _watch_request(request: EstablishRequest, tools: Tools) -> WatchRequest:
    profile, policy = tools.venue.profile, tools.policy
    horizon_ms = policy.staleness_horizon_ms
    landing = Landing(
        validity_ms=max(profile.request_validity_ms, policy.request_validity_ms),
        skew_ms=tools.venue.skew_ms or policy.request_validity_ms,
    )
    landing.sent(tools.clock.now_ms(), tools.clock)  # by a person or host that tells nobody
    landing.lands_by(last_deadline_ms(_left_behind(request)), tools.clock)
    return WatchRequest(
        account=request.account,
        scopes=request.scopes,
        selection=request.selection,
        expected=request.expected,
        horizon_ms=profile.staleness_horizon_ms if horizon_ms is None else horizon_ms,
        required_reads=policy.proof_reads,
        deadline_ms=request.deadline_ms,
        landing=landing,
    )


async def _settle(request: EstablishRequest, watched: Watched, tools: Tools) -> Settled:
    """Ask for the final status of every order ever seen, or believed open, that may not rest."""
    believed = tools.engine.read(request.account, tools.clock.now_ms()).orders
    asked = dict(tools.venue.seen)
    if isinstance(believed, Known):
        for order in believed.data:
            if not order.is_terminal:
                asked.setdefault(order_key(order), order)
    kept = {order_key(order) for order in watched.kept}
    over = kept | set(watched.final)
    wanted = {k: order for k, order in asked.items() if k not in over and not order.is_terminal}
    # What still rests will not settle by waiting: it has to be cancelled first.
    patience_ms = tools.clock.monotonic_ms() + (0 if watched.unexpected else _horizon_ms(tools))
    found = await settle_all(
        wanted,
        venue=tools.venue,
        clock=tools.clock,
        progress=tools.progress,
        deadline_ms=min(request.deadline_ms, patience_ms),
        interrupted=tools.interrupted,
    )
    terminal = (*watched.final.values(), *found.terminal)
    return Settled(terminal, found.open_or_unknown)


def _horizon_ms(tools: Tools) -> int:
    asked = tools.policy.staleness_horizon_ms
    return tools.venue.profile.staleness_horizon_ms if asked is None else asked


async def _compare(
    request: EstablishRequest, began: Holdings | Unknown, tools: Tools, *, patient: bool
) -> tuple[Look, Conservation | Unknown]:
    """Look at both sides; look again while what stands in the way may pass by itself.

    A listing of fills may show a fill later than the position does, and a section that could not be
    read may be read the next time. Nothing is forgiven: in the end both must hold.
    """
    patience_ms = tools.clock.monotonic_ms() + (_horizon_ms(tools) if patient else 0)
    pause_ms = tools.policy.settle_delay_ms
    looks = 0
    while True:
        looks += 1
        now_ms = tools.clock.monotonic_ms()
        over = now_ms >= min(request.deadline_ms, patience_ms) or tools.interrupted()
        try:
            await tools.before_compare()
            look = await _look(request, tools)
        except (TryAgainLaterError, VenueUnavailableError):
            if over:
                raise
        else:
            law = _law(began, look, tools.policy)
            repairs = tools.before_compare is not _nothing
            if over or not _may_still_agree(look, law, repairs=repairs, first=looks == 1):
                return look, law
        tools.progress.say(
            request.account, "conservation", "waiting for the readings to become whole and equal"
        )
        await tools.each_read()
        await tools.clock.sleep_ms(pause_ms)
        pause_ms = min(2 * pause_ms, PAUSE_MAX_MS)


async def _look(request: EstablishRequest, tools: Tools) -> Look:
    return await look_once(
        ReconcileRequest(account=request.account, scopes=request.scopes, symbols=request.symbols),
        venue=tools.venue,
        engine=tools.engine,
        clock=tools.clock,
        progress=tools.progress,
        policy=tools.policy,
    )


def _may_still_agree(
    look: Look, law: Conservation | Unknown, *, repairs: bool, first: bool
) -> bool:
    """Whether another look may end otherwise: something lags, or one reading did not work.

    What the engine's side does not tell is asked for once more, and then taken for lasting.
    """
    if look.venue.moving is not None or (isinstance(law, Conservation) and law.violations):
        return True
    kinds = {finding.kind for finding in look.comparison.findings}
    if kinds & (LASTING | RESTS_AT_THE_EXCHANGE):
        return False
    if exchange_may_answer_otherwise(look) or look.venue.clock_offset_ms is None:
        return True
    if first and kinds & PASSING:
        return True
    return repairs and look.comparison.verdict is Verdict.DISCREPANT


def _law(began: Holdings | Unknown, look: Look, policy: Policy) -> Conservation | Unknown:
    if isinstance(began, Unknown):
        return began
    ended = holdings_of(look.venue.products, look.venue.as_of_ms, 0)
    return conserve(began, ended, policy)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one attempt saw."""

    clock: str | Unknown
    watched: Watched
    settled: Settled
    countdowns: SwitchState
    look: Look
    law: Conservation | Unknown


def _judge(request: EstablishRequest, tools: Tools, seen: _Seen) -> Established:
    watched, look = seen.watched, seen.look
    # The last look at the engine and the gate comes after everything else: whatever it says that
    # is newer than the readings takes the proof back.
    gate = tools.gate.read(request.account)
    now_ms = tools.clock.now_ms()
    watched.hear(tools.silence.observe(request.account, gate, now_ms), gate, tools.clock)
    watched.look_at(look.venue)
    proof = watched.proof
    conditions = safety_conditions(
        SafetyEvidence(
            now_ms=now_ms,
            policy=tools.policy,
            manifest=request.scopes,
            gate=gate,
            silence=watched.silence,
            clock=seen.clock,
            venue=look.venue,
            comparison=look.comparison,
            conservation=seen.law,
            proof=proof,
            unexpected=watched.unexpected,
            kept=watched.kept,
            settled=seen.settled,
            unanswered=_unanswered(request, tools),
            countdowns=seen.countdowns,
        )
    )
    return Established(
        account=request.account,
        safety=judge_safety(conditions),
        conditions=conditions,
        as_of_ms=look.venue.as_of_ms,
        valid_until_ms=look.venue.as_of_ms + tools.policy.verdict_validity_ms,
        digests={
            **digests_now(request.scopes, tools.policy),
            "checkpoint": look.engine.source.digest or NOT_KNOWN,
        },
        gate_sequence=gate.sequence,
        unexpected=watched.unexpected,
        kept=watched.kept,
        settled=seen.settled,
        look=look,
        proof_ms=proof.spanned_ms if proof else 0,
        proof_reads=proof.valid_reads if proof else 0,
    )
