"""One account with everything that `verify`, `resync` and `resume` need, untouched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.model import Balance, Order, OrderClass, OrderStatus, Scope, Side
from resyncctl.core.open_requests import OpenRequest
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.core.safety import VerdictRecord
from resyncctl.core.silence import Silence, SilenceKind
from resyncctl.core.snapshot import Known
from resyncctl.ports.powers import LeaseKeeper
from resyncctl.ports.repair import CheckpointRepair
from resyncctl.ports.views import SilenceView
from resyncctl.procedures.dead_man_switch import Switches
from resyncctl.procedures.resume import ResumeRequest, resume
from resyncctl.procedures.resync import ResyncRequest, SwitchMaker, resync
from resyncctl.procedures.verify import VerifyRequest, verify
from tests.fakes.fake_clock import FakeClock
from tests.fakes.fake_venue import FakeVenue
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.operators import MemoryGate, MemoryLeases, ScriptedPrompter
from tests.fakes.recording_progress import RecordingProgress
from tests.fakes.stub_engine import StubEngine

SPOT = Scope("spot")
LINEAR = Scope("linear")
ALGO = Scope("linear", OrderClass.ALGO)
SCOPES = (SPOT, LINEAR, ALGO)


def resting_order(
    number: int, *, scope: Scope = SPOT, base: str = "BTC", protective: bool = False
) -> Order:
    """Return an order that rests."""
    settle = "" if scope.product == "spot" else ":USDT"
    return Order(
        account="main",
        product=scope.product,
        symbol=f"{base}/USDT{settle}",
        venue_symbol=f"{base}USDT",
        side=Side.BUY,
        type="limit",
        status=OrderStatus.ACCEPTED,
        client_order_id=f"mm1-{number}",
        venue_order_id=str(number),
        quantity=Decimal(2),
        filled=Decimal(0),
        price=Decimal(100),
        protective=protective,
        reduce_only=protective,
        order_class=scope.order_class,
        created_at_ms=1_000,
    )


@dataclass(slots=True)
class ScriptedSilence:
    """Implements `SilenceView`. The engine sends until `silent_from_ms`, None is for ever."""

    kind: SilenceKind = SilenceKind.PROVED
    since_ms: int | None = None
    observed: int = 0
    on_observe: Callable[[int], Silence | None] | None = None

    def observe(self, account: str, gate: GateReading, now_ms: int) -> Silence:
        self.observed += 1
        if self.on_observe is not None and (answer := self.on_observe(now_ms)) is not None:
            return answer
        if self.kind is SilenceKind.UNPROVED:
            return Silence(kind=self.kind, how="nobody looked")
        since_ms = gate.since_ms if self.since_ms is None else self.since_ms
        return Silence(kind=self.kind, how="it acknowledged", since_ms=since_ms)


@dataclass
class SafetyWorld:
    """The world, its hands, and the two commands over it."""

    clock: FakeClock = field(default_factory=FakeClock)
    gate: MemoryGate = field(default_factory=MemoryGate)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    progress: RecordingProgress = field(default_factory=RecordingProgress)
    prompter: ScriptedPrompter = field(default_factory=ScriptedPrompter)
    policy: Policy = field(default_factory=Policy)
    engine: StubEngine = field(default_factory=StubEngine)
    silence: ScriptedSilence = field(default_factory=ScriptedSilence)
    switches: Switches | SwitchMaker | None = None
    repair: CheckpointRepair | None = None
    left: tuple[OpenRequest, ...] = ()
    remembered: list[VerdictRecord] = field(default_factory=list)
    remembers: bool = True
    stop: bool = False
    changes: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.venue = FakeVenue(clock=self.clock, scopes=SCOPES)
        usdt = Balance(
            account="main",
            product="spot",
            asset="USDT",
            free=Decimal(1000),
            locked=Decimal(0),
            total=Decimal(1000),
        )
        self.venue.balances.append(usdt)
        self.engine.balances = Known((usdt,), 0)
        self.clock.advance(60_000)

    def closed(self) -> "SafetyWorld":
        """Close the gate, some time ago."""
        self.gate.state = GateState.UNSAFE
        self.gate.since_ms = self.clock.now_ms()
        self.clock.advance(10_000)
        return self

    def with_book(self) -> "SafetyWorld":
        """Let orders rest that the engine does not hold any more."""
        self.venue.put(
            resting_order(1),
            resting_order(2, base="ETH"),
            resting_order(3, scope=LINEAR),
            resting_order(4, scope=ALGO),
        )
        self.clock.advance(60_000)
        return self

    def remember(self, record: VerdictRecord) -> bool:
        self.remembered.append(record)
        return self.remembers

    async def verify(self, **changes: object) -> AccountOutcome:
        base = VerifyRequest(account="main", scopes=SCOPES, left_behind=self.left)
        return await verify(
            replace(base, **(self.changes | changes)),  # type: ignore[arg-type]  # the tests name real fields
            venue=self.venue,
            engine=self.engine,
            gate=self.gate,
            silence=self.silence,
            journal=self.journal,
            clock=self.clock,
            progress=self.progress,
            policy=self.policy,
            interrupted=lambda: self.stop,
        )

    async def resume(
        self,
        verdict: VerdictRecord | None = None,
        newest: VerdictRecord | None = None,
        **changes: object,
    ) -> AccountOutcome:
        base = ResumeRequest(
            account="main", scopes=SCOPES, reason="proved", by="me", confirmed_name="main"
        )
        return await resume(
            replace(base, **changes),  # type: ignore[arg-type]  # the tests name real fields
            venue=self.venue,
            engine=self.engine,
            gate=self.gate,
            gate_view=self.gate,
            leases=self.leases,
            silence=self.silence,
            journal=self.journal,
            clock=self.clock,
            progress=self.progress,
            prompter=self.prompter,
            policy=self.policy,
            switches=self.switches,
            remember=self.remember,
            verdict=verdict,
            newest=newest,
            interrupted=lambda: self.stop,
            left_behind=lambda: self.left,
        )

    async def resync(
        self, *, under: LeaseKeeper | None = None, **changes: object
    ) -> AccountOutcome:
        base = ResyncRequest(account="main", scopes=SCOPES, reason="lost the stream", by="me")
        return await resync(
            replace(base, **changes),  # type: ignore[arg-type]  # the tests name real fields
            venue=self.venue,
            cancel=self.venue,
            gate=self.gate,
            gate_view=self.gate,
            leases=self.leases,
            engine=self.engine,
            silence=self.silence,
            journal=self.journal,
            clock=self.clock,
            progress=self.progress,
            prompter=self.prompter,
            policy=self.policy,
            switches=self.switches,
            remember=self.remember,
            interrupted=lambda: self.stop,
            under=under,
            repair=self.repair,
            left_behind=lambda: self.left,
        )


def failing(outcome: AccountOutcome) -> list[str]:
    """Return the names of the conditions that do not hold."""
    lines = outcome.evidence["conditions"]
    assert isinstance(lines, Sequence)
    return [line["name"] for line in lines if not (line["holds"] and line["known"])]


_silence: type[SilenceView] = ScriptedSilence
