"""The third actor: a reconcile that a timer runs beside the operators, with a view only.

Promises: it is handed no power and takes no lease; a request of its that changes anything is a
violation, and so is the answer `clean` while a difference lasted from the moment at which the
engine's memory was read until the answer was given. Called by `story`.
"""

from collections import Counter
from dataclasses import dataclass, replace

from resyncctl.core.discrepancy import Verdict
from resyncctl.core.errors import ResyncError
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.snapshot import EngineSnapshot
from resyncctl.ports.views import EngineView
from resyncctl.procedures.reconcile import ReconcileRequest, reconcile
from tests.storm.belief import Mind
from tests.storm.desk import Desk
from tests.storm.oracle import ACCOUNT
from tests.storm.reconciler import Names, differences, explained
from tests.storm.scenario import HIDING
from tests.storm.stage import Story

CLIENT = "10.0.0.7"
EVERY_MS = 20_000
LOOKS_MOST = 4
"""A look costs as much as a wave of cancels; what a fifth one sees the first four have seen."""


@dataclass(slots=True)
class Watched:
    """Implements `EngineView`; remembers which differences have lasted since it was read last."""

    mind: Mind
    lasting: Names | None = None
    _then: Mind | None = None

    def read(self, account: str, now_ms: int) -> EngineSnapshot:
        self._then = replace(self.mind, stub=replace(self.mind.stub))
        self.lasting = differences(self.mind.exchange, self._then)
        return self.mind.read(account, now_ms)

    def look(self) -> None:
        """Forget what is settled by now: only what held all the time must have been seen."""
        if self._then is not None and self.lasting:
            self.lasting &= differences(self.mind.exchange, self._then)


_engine: type[EngineView] = Watched


async def watch(story: Story) -> None:
    """Look every now and then; ends by itself, or when it is cancelled."""
    said: Counter[str] = story.arena.notes.setdefault("cron", Counter())
    for number in range(1, LOOKS_MOST + 1):
        await story.arena.clock.sleep_ms(EVERY_MS)
        desk = story.sit_down(CLIENT, may_load_markets=True, run=f"cron-{number}")
        story.arena.oracle.readers.add(desk.run)
        watched = Watched(story.mind)
        story.arena.oracle.watchers.append(watched.look)
        try:
            outcome = await _look(story, desk, watched)
            said[outcome.status] += 1
            _judge(story, desk, watched, outcome)
        except ResyncError as error:
            said[error.exit_code.name] += 1
        finally:
            story.arena.oracle.watchers.remove(watched.look)
            await desk.leave()


async def _look(story: Story, desk: Desk, watched: Watched) -> AccountOutcome:
    return await reconcile(
        ReconcileRequest(account=ACCOUNT, scopes=desk.scopes),
        venue=desk.view,
        engine=watched,
        gate=story.gate,
        journal=desk.journal,
        clock=desk.clock,
        progress=desk.stages,
        policy=desk.kit.policy,
    )


def _judge(story: Story, desk: Desk, watched: Watched, outcome: AccountOutcome) -> None:
    """Hold `clean` against the truth. What a lagging or lying replica hides nobody can see."""
    scenario = story.arena.scenario
    watched.look()
    if scenario.lag_mode or HIDING & set(scenario.faults):
        return
    unseen = (watched.lasting or set()) - explained(outcome)
    if outcome.verdict is Verdict.CLEAN and unseen:
        desk.arena.oracle.blame("I2", f"{desk.run} said clean beside {sorted(unseen)[:3]}")
