"""What the actors of one seed share, and how a run of a command ends. Called by `story`."""

from dataclasses import dataclass, field
from pathlib import Path

from resyncctl.core.outcome import AccountOutcome
from resyncctl.ports.store import Store
from tests.fakes.operators import MemoryGate
from tests.storm.actors import Engine
from tests.storm.arena import Arena
from tests.storm.belief import Mind
from tests.storm.desk import Desk, sit_down
from tests.storm.kit import Kit
from tests.storm.trouble import Trouble


@dataclass(slots=True)
class Ending:
    """How one run of a command ended."""

    run: str
    program: str
    verdict: str
    took_ms: int
    missing: tuple[str, ...] = ()
    outcome: AccountOutcome | None = None


@dataclass(slots=True)
class Story:
    """One seed while it runs."""

    arena: Arena
    folder: Path
    gate: MemoryGate
    store: Store
    trouble: Trouble
    engine: Engine
    mind: Mind
    kit: Kit
    runs: int = 0
    resumed: list[str] = field(default_factory=list)

    def sit_down(self, client: str, *, may_load_markets: bool = False, run: str = "") -> Desk:
        """Open everything for one run; `run` names one that is not an operator's."""
        self.runs += not run
        return sit_down(
            self.arena,
            run=f"storm-{self.arena.scenario.seed}-{run or self.runs}",
            client=client,
            folder=self.folder,
            store=self.store,
            kit=self.kit,
            trouble=self.trouble,
            may_load_markets=may_load_markets,
        )
