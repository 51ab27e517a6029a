"""One operator at a desk: the product's own objects on the storm's exchange.

Promises: ccxt's class, transport, Binance profile, journal, leases and procedures are the real
ones; only the network, the clock, the person and the gate's file are the storm's. `Protections`
lets an ablation compose them differently. Called by `story`.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resyncctl.adapters.store.journal import FileJournal, create_journal
from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets, Venue, VenueOptions, open_venue
from resyncctl.core.model import OrderClass, Scope
from resyncctl.core.mutation import MutationOutcome, Permit
from resyncctl.ports.powers import VenueCancel, VenueReduce
from resyncctl.ports.store import Store
from resyncctl.ports.views import Clock, Journal, Progress, VenueView
from resyncctl.simulator.in_process import InProcessSession
from tests.storm.arena import KEY, Arena, Door
from tests.storm.kit import SECRET, Kit
from tests.storm.oracle import ACCOUNT, Oracle
from tests.storm.trouble import Trouble

SCOPES = {
    "spot": (Scope("spot"),),
    "one_way": (Scope("linear"), Scope("linear", OrderClass.ALGO)),
    "hedge": (Scope("linear"), Scope("linear", OrderClass.ALGO)),
    "mixed": (Scope("spot"), Scope("linear"), Scope("linear", OrderClass.ALGO)),
}


def no_sync(_handle: int) -> None:
    """Do not wait for a disk: the storm asks about the order of things, not about power cuts."""


@dataclass(slots=True)
class CountedJournal:
    """The real journal; every intent that it has taken is told to the oracle."""

    inner: FileJournal
    oracle: Oracle
    first: bool = True

    @property
    def run_id(self) -> str:
        return self.inner.run_id

    def record(self, event: str, details: Mapping[str, object]) -> int:
        if event == "taken_over" and details["from_run"] is not None:
            self.oracle.lost(str(details["from_run"]), 0)
        return self.inner.record(event, details)

    def intend(
        self, action: str, details: Mapping[str, object], *, deadline_ms: int, fencing_token: int
    ) -> Permit:
        permit = self.inner.intend(
            action, details, deadline_ms=deadline_ms, fencing_token=fencing_token
        )
        if self.first:
            self._count()
        return permit

    def settle(self, permit: Permit, outcome: MutationOutcome) -> None:
        self.inner.settle(permit, outcome)
        if not self.first:
            self._count()

    def _count(self) -> None:
        self.oracle.intended(self.run_id)


_journal: type[Journal] = CountedJournal


@dataclass(slots=True)
class Stages:
    """What a run says that it is doing: the phase of the cells of coverage."""

    arena: Arena
    run: str
    told: list[str] = field(default_factory=list)

    def say(self, account: str, stage: str, text: str, **numbers: object) -> None:
        self.arena.stages[self.run] = stage


_progress: type[Progress] = Stages


@dataclass(slots=True)
class Person:
    """Nobody can be asked: the storm passes every answer as a flag."""

    async def confirm(self, question: str, *, flag: str, default: bool = False) -> bool:
        raise AssertionError(f"asked although {flag} was given: {question}")

    async def choose(self, question: str, options: object, *, default: str, flag: str) -> str:
        raise AssertionError(f"asked although {flag} was given: {question}")

    async def type_name(self, question: str, expected: str, *, flag: str) -> bool:
        raise AssertionError(f"asked although {flag} was given: {question}")


@dataclass(slots=True)
class Desk:
    """Everything that one run of a command is handed."""

    arena: Arena
    run: str
    folder: Path
    store: Store
    kit: Kit
    clock: Clock
    journal: CountedJournal
    trouble: Trouble
    stages: Stages
    venue: Venue
    take_over: str | None = None
    person: Person = field(default_factory=Person)

    @property
    def scopes(self) -> tuple[Scope, ...]:
        return self.kit.scopes(SCOPES[self.arena.scenario.account])

    def leases(self, command: str) -> Any:
        """Return the leases of one command."""
        return self.kit.leases(self.trouble.leases(self.run, command, self.store))

    @property
    def view(self) -> VenueView:
        view: VenueView = self.kit.view(self.venue.view, self.arena)
        return view

    @property
    def cancel(self) -> VenueCancel:
        cancel: VenueCancel = self.kit.cancel(self.venue.cancel, self.arena)
        return cancel

    @property
    def reduce(self) -> VenueReduce:
        return self.venue.reduce

    async def leave(self) -> None:
        """Close what was opened, and look at what the journal holds."""
        await self.venue.close()
        self.journal.inner.close()
        text = self.journal.inner.path.read_bytes()
        if SECRET.encode() in text or KEY.encode() in text:
            self.arena.oracle.blame("I39", f"a key is in the journal of {self.run}")
        if text.count(b'"event":"intent"') != self.arena.oracle.intents.get(self.run, 0):
            self.arena.oracle.blame("I23", f"the journal of {self.run} lacks intents")


def sit_down(
    arena: Arena,
    *,
    run: str,
    client: str,
    folder: Path,
    store: Store,
    kit: Kit,
    trouble: Trouble,
    may_load_markets: bool,
) -> Desk:
    """Open everything for one run."""
    clock = arena.clock
    scopes = SCOPES[arena.scenario.account]
    door = kit.door(Door(arena, run))
    options = VenueOptions(
        account=ACCOUNT,
        venue="binance",
        secrets=Secrets(api_key=KEY, secret=SECRET),
        clock=clock,
        scopes=scopes,
        mode="practice",
        session_factory=lambda: InProcessSession(
            door, client=client, hidden_resend=kit.hidden_resend
        ),
        egress=Egress(clock),
        cache_dir=folder.parent / "markets",
        may_load_markets=may_load_markets,
        may_use_reserve=True,
    )
    journal = create_journal(
        folder / run, run, clock=clock, redact=lambda value: value, sync=no_sync
    )
    return Desk(
        arena=arena,
        run=run,
        folder=folder,
        store=store,
        kit=kit,
        clock=clock,
        journal=CountedJournal(journal, arena.oracle, kit.journals_first),
        trouble=trouble,
        stages=Stages(arena, run),
        venue=open_venue(options),
    )


def fast_folder() -> Path:
    """Return a new folder in memory where there is one, else in the usual place."""
    shm = Path("/dev/shm")  # noqa: S108  # a folder of its own inside, made by mkdtemp
    return Path(tempfile.mkdtemp(prefix="storm-", dir=shm if shm.is_dir() else None))


def sweep(folder: Path) -> None:
    """Remove a folder of the storm."""
    shutil.rmtree(folder, ignore_errors=True)
