"""One cancel-all with the true records of this host and an exchange in memory."""

import asyncio
import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from resyncctl.adapters.store.append_file import Sync
from resyncctl.adapters.store.gate import GateFiles
from resyncctl.adapters.store.lease import Leases
from resyncctl.adapters.store.opening import JournalOptions, RunJournal, open_journal
from resyncctl.adapters.store.store_opening import open_store
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.ports.store import Store
from resyncctl.procedures.cancel_all import CancelAllRequest, cancel_all
from tests.adapters.store.journals import beginning, untouched
from tests.core.test_plan import ALGO, LINEAR, SPOT, order
from tests.fakes.fake_clock import FakeClock
from tests.fakes.fake_venue import FakeVenue
from tests.fakes.operators import ScriptedPrompter
from tests.fakes.recording_progress import RecordingProgress

SCOPES = (SPOT, LINEAR, ALGO)


@dataclass
class Desk:
    """Where the records are, and what happens to them."""

    state_dir: Path
    engine_file: Path
    fallback: Path
    mirror: io.StringIO = field(default_factory=io.StringIO)
    warnings: list[str] = field(default_factory=list)
    sync: Sync = os.fsync
    clock: FakeClock = field(default_factory=FakeClock)
    on_wire: Callable[[FakeVenue], None] | None = None
    store: Store | None = None
    journal: RunJournal | None = None

    def venue(self) -> FakeVenue:
        """An exchange with four resting orders."""
        made = FakeVenue(clock=self.clock, scopes=SCOPES, by_symbol=False)
        made.put(
            order(1, client="mm1-a"),
            order(2, base="ETH", client="other-b"),
            order(3, scope=LINEAR, client="mm1-c"),
            order(4, scope=ALGO, client="mm1-d"),
        )
        self.clock.advance(60_000)
        made.on_cancel = self.on_wire
        return made

    def options(self) -> JournalOptions:
        """What wiring hands over for a command that only reduces risk."""
        return JournalOptions(
            state_dir=self.state_dir,
            clock=self.clock,
            redact=untouched,
            break_glass=True,
            environ={},
            mirror=self.mirror,
            warn=self.warnings.append,
            fallbacks=(self.fallback,),
            sync=self.sync,
        )

    def cancel_all(self, venue: FakeVenue) -> AccountOutcome:
        """Run the true procedure to its end, as the command line would."""
        store = self.store = open_store(self.state_dir, self.clock.now_ms(), emergency=True)
        journal = self.journal = open_journal(beginning("main"), self.options())
        gate = GateFiles(self.state_dir, engine_files={"main": (self.engine_file,)}, store=store)
        leases = Leases(
            self.state_dir,
            store=store,
            clock=self.clock,
            break_glass=True,
            fallbacks=(self.fallback,),
        )
        request = CancelAllRequest(
            account="main", scopes=SCOPES, reason="lost the stream", by="me", assume_yes=True
        )
        try:
            outcome = asyncio.run(
                cancel_all(
                    request,
                    venue=venue,
                    cancel=venue,
                    gate=gate,
                    leases=leases,
                    journal=journal,
                    clock=self.clock,
                    progress=RecordingProgress(),
                    prompter=ScriptedPrompter(),
                    policy=Policy(),
                )
            )
            journal.end(int(outcome.exit_code), outcome.status)
        finally:
            journal.close()
            store.close()
        return outcome
