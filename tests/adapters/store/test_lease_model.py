"""Several runs on one account, in any order of events: their requests never overlap.

The real leases on real lock files; each run is a `Leases` of its own, which the kernel tells apart
like processes. A run holds, sends, stops in the middle, dies, is taken over, loses its lock file or
finds the store gone. The oracle is outside: a request of one run must be over before another run's
can begin to take effect.
"""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from resyncctl.adapters.store.lease import TTL_MS, Leases
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.adapters.store.places import lock_file
from resyncctl.core.errors import LockedError
from resyncctl.ports.powers import HeldBy
from resyncctl.ports.store import Store
from resyncctl.procedures.held_lease import HeldLease
from tests.fakes.fake_clock import FakeClock
from tests.fakes.memory_store import MemoryStore

VALIDITY_MS = 5_000
SKEW_MS = 1_000
RUNS = 3
run_numbers = st.integers(0, RUNS - 1)


@dataclass
class Run:
    """One process: its leases, what it holds, and the request that it is about to send."""

    name: str
    leases: Leases
    lease: HeldLease | None = None
    may_send_from_ms: int = 0
    prepared: tuple[int, int] | None = None
    asked_ms: int | None = None


@dataclass(frozen=True)
class Request:
    """A request at the exchange: who sent it, when, and until when it can take effect."""

    run: str
    token: int
    at_ms: int
    until_ms: int


@dataclass
class Exchange:
    """What was sent, in order."""

    requests: list[Request] = field(default_factory=list)


class LeaseModel(RuleBasedStateMachine):
    """The rules are what runs, operators and bad luck can do."""

    @initialize(with_store=st.booleans())
    def begin(self, with_store: bool) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.clock = FakeClock()
        self.store: Store = MemoryStore() if with_store else NullStore("gone")
        self.with_store = with_store
        self.path = lock_file(self.folder, "main")
        self.made = 0
        self.runs = [self._run() for _ in range(RUNS)]
        self.exchange = Exchange()
        self.tokens: list[int] = []

    def _run(self) -> Run:
        self.made += 1
        return Run(f"run-{self.made}", Leases(self.folder, store=self.store, clock=self.clock))

    def teardown(self) -> None:
        if hasattr(self, "runs"):
            for run in self.runs:
                self._let_go(run)
            shutil.rmtree(self.folder)

    def _let_go(self, run: Run) -> None:
        if run.lease is not None:
            run.lease.release()
            run.lease = None
        run.prepared = None

    @rule(number=run_numbers)
    def acquires(self, number: int) -> None:
        run = self.runs[number]
        if run.lease is not None:
            return
        try:
            lease = HeldLease.acquire(run.leases, "main", run.name, self.clock.now_ms())
        except LockedError:
            return
        self._holds(run, lease, 0)

    def _holds(self, run: Run, lease: HeldLease, quiet_ms: int) -> None:
        lease.expect_skew(SKEW_MS)
        run.lease, run.asked_ms = lease, None
        self.tokens.append(lease.lease.fencing_token)
        # What others left open is waited out before anything is sent: `left_behind`.
        others = [r.until_ms for r in self.exchange.requests if r.run != run.name]
        run.may_send_from_ms = max([quiet_ms, *others]) + SKEW_MS + 1

    @rule(number=run_numbers)
    def prepares(self, number: int) -> None:
        """Ask for the token of a request; what comes then may come much later."""
        run, now_ms = self.runs[number], self.clock.now_ms()
        if run.lease is None or run.prepared is not None or now_ms < run.may_send_from_ms:
            return
        try:
            token = run.lease.assure(now_ms, VALIDITY_MS)
        except LockedError:
            self._let_go(run)
            return
        assert now_ms + VALIDITY_MS + SKEW_MS < run.lease.lease.expires_ms
        run.prepared = (token, now_ms + VALIDITY_MS)

    @rule(number=run_numbers)
    def sends(self, number: int) -> None:
        """Send what was prepared, unless its deadline has passed: the way out refuses that."""
        run, now_ms = self.runs[number], self.clock.now_ms()
        if run.prepared is None:
            return
        token, deadline_ms = run.prepared
        run.prepared = None
        if now_ms >= deadline_ms:
            return
        request = Request(run.name, token, now_ms, deadline_ms)
        for other in self.exchange.requests:
            if other.run != run.name:
                assert other.until_ms < now_ms, f"{other} overlaps {request}"
                assert other.token < token
        self.exchange.requests.append(request)

    @rule(number=run_numbers)
    def ends(self, number: int) -> None:
        """A run that ends has settled its requests: it waits for its last one."""
        run = self.runs[number]
        if run.lease is not None and run.prepared is None:
            own = [r.until_ms for r in self.exchange.requests if r.run == run.name]
            self.clock.advance(max(0, max(own, default=0) - self.clock.now_ms()))
            self._let_go(run)

    @rule(number=run_numbers)
    def dies(self, number: int) -> None:
        """A kill: the kernel gives the lock back, the row stays, nothing more is sent."""
        run = self.runs[number]
        if run.lease is None:
            return
        held = run.leases._held.pop("main")
        assert held.file is not None
        held.file.close()
        self.runs[number] = self._run()

    @rule(number=run_numbers)
    def asks(self, number: int) -> None:
        run, now_ms = self.runs[number], self.clock.now_ms()
        if run.lease is None and run.leases.held_by("main", now_ms) is not None:
            assert run.leases.ask("main", run.name, now_ms, reason="I want it")
            run.asked_ms = now_ms

    @rule(number=run_numbers)
    def takes(self, number: int) -> None:
        """Replace a holder, with the waits of `procedures.take_over`."""
        run, now_ms = self.runs[number], self.clock.now_ms()
        held = run.leases.held_by("main", now_ms)
        if run.lease is not None or run.asked_ms is None or held is None:
            return
        if now_ms <= held.expires_ms + VALIDITY_MS + SKEW_MS:
            self._too_early(run, held)
            return
        taken = run.leases.take(
            "main", run.name, now_ms, from_token=held.fencing_token, reason="it hangs"
        )
        quiet_ms = taken.old_end_ms + VALIDITY_MS
        self._holds(run, HeldLease(run.leases, taken.lease), quiet_ms)

    def _too_early(self, run: Run, held: HeldBy) -> None:
        """A lease that still runs is never taken, whoever tries."""
        now_ms = self.clock.now_ms()
        if now_ms > held.expires_ms:
            return
        try:
            run.leases.take(
                "main", run.name, now_ms, from_token=held.fencing_token, reason="at once"
            )
        except LockedError:
            return
        raise AssertionError("a lease that still runs was taken")

    @rule(duration_ms=st.sampled_from([1, 200, 3_000, VALIDITY_MS, TTL_MS, TTL_MS + 7_000]))
    def time_passes(self, duration_ms: int) -> None:
        self.clock.advance(duration_ms)

    @precondition(lambda self: self.with_store)
    @rule()
    def the_lock_file_is_removed(self) -> None:
        """Somebody tidies up. The store still knows whose lease runs."""
        self.path.unlink(missing_ok=True)

    @invariant()
    def tokens_grow(self) -> None:
        if hasattr(self, "tokens"):
            assert self.tokens == sorted(set(self.tokens))

    @invariant()
    def at_most_one_run_believes_and_is_right(self) -> None:
        if hasattr(self, "runs"):
            now_ms = self.clock.now_ms()
            ours = [run for run in self.runs if run.lease is not None and _still(run, now_ms)]
            assert len(ours) <= 1


def _still(run: Run, now_ms: int) -> bool:
    """Whether the run holds; asked beside its own memory of having lost it."""
    assert run.lease is not None
    try:
        run.leases.check(run.lease.lease, now_ms)
    except LockedError:
        return False
    return True


LeaseModel.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLeaseModel = LeaseModel.TestCase
