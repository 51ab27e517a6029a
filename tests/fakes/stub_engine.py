"""An engine whose beliefs the test writes down."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from resyncctl.core.model import Balance, Fill, Order, Position
from resyncctl.core.snapshot import EngineSnapshot, Known, Provenance, Section, Unknown
from resyncctl.ports.repair import CheckpointRepair
from resyncctl.ports.views import EngineView


@dataclass(slots=True)
class StubEngine:
    """Implements `EngineView`, and `CheckpointRepair` for what it believes."""

    orders: Section[Order] = field(default_factory=lambda: Known((), 0))
    fills: Section[Fill] = field(default_factory=lambda: Known((), 0))
    positions: Section[Position] = field(default_factory=lambda: Known((), 0))
    balances: Section[Balance] = field(default_factory=lambda: Known((), 0))
    sequence: int = 7
    digest: str = "checkpoint-7"
    reads: int = 0
    on_read: Callable[["StubEngine"], None] | None = None

    def read(self, account: str, now_ms: int) -> EngineSnapshot:
        self.reads += 1
        if self.on_read is not None:
            self.on_read(self)
        return EngineSnapshot(
            account=account,
            as_of_ms=now_ms,
            sequence=self.sequence,
            source=Provenance("stub", "memory", self.digest),
            orders=_fresh(self.orders, now_ms),
            fills=_fresh(self.fills, now_ms),
            positions=_fresh(self.positions, now_ms),
            balances=_fresh(self.balances, now_ms),
        )

    def write(self, snapshot: EngineSnapshot, now_ms: int) -> str:
        self.orders, self.fills = snapshot.orders, snapshot.fills
        self.positions, self.balances = snapshot.positions, snapshot.balances
        self.sequence += 1
        self.digest = f"checkpoint-{self.sequence}"
        return self.digest


def _fresh(section: Section, now_ms: int) -> Section:  # type: ignore[type-arg]  # any row type
    return section if isinstance(section, Unknown) else replace(section, as_of_ms=now_ms)


_view: type[EngineView] = StubEngine
_repair: type[CheckpointRepair] = StubEngine
