"""Nothing is written that no lease of this process carries: intents, gates, verdicts, repairs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resyncctl.adapters.store.gate import GateFiles
from resyncctl.adapters.store.lease import TTL_MS, Leases
from resyncctl.adapters.store.lease_fence import FencedJournal, FencedRepair
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.adapters.store.store_opening import open_store
from resyncctl.core.discrepancy import Verdict
from resyncctl.core.errors import InvariantBroken, LockedError, RecordUnwritableError, RefusedError
from resyncctl.core.gate import GateState
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from resyncctl.core.safety import VerdictRecord
from resyncctl.core.snapshot import EngineSnapshot, Provenance, Unknown
from resyncctl.ports.powers import Lease
from resyncctl.ports.store import Fence, Store
from tests.fakes.fake_clock import FakeClock
from tests.fakes.memory_journal import MemoryJournal
from tests.fakes.memory_store import MemoryStore


class Desk:
    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.leases = Leases(folder / "state", store=MemoryStore(), clock=self.clock)
        self.journal = MemoryJournal()
        self.fenced = FencedJournal(self.journal, self.leases.vouch)
        self.lease = self.leases.acquire("main", "run-a", self.clock.now_ms())

    def intend(self, *, token: int | None = None, deadline_ms: int = 5_000, **details: str) -> None:
        self.fenced.intend(
            "cancel_order",
            {"account": "main", **details},
            deadline_ms=self.clock.now_ms() + deadline_ms,
            fencing_token=self.lease.fencing_token if token is None else token,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "state").mkdir(mode=0o700)
    made = Desk(tmp_path)
    yield made
    made.leases.release(made.lease)


@pytest.mark.invariant("I30")
@pytest.mark.parametrize(("deadline_ms", "passes"), [(TTL_MS - 1, True), (TTL_MS, False)])
def test_an_intent_that_outlives_its_lease_is_refused(
    desk: Desk, deadline_ms: int, passes: bool
) -> None:
    if passes:
        desk.intend(deadline_ms=deadline_ms)
        assert desk.journal.events() == ["intent"]
        return
    with pytest.raises(InvariantBroken, match="outlives its lease"):
        desk.intend(deadline_ms=deadline_ms)
    assert not desk.journal.records


@pytest.mark.invariant("I30")
@pytest.mark.parametrize("changes", [{"token": 0}, {"token": 10**9}, {"account": "other"}])
def test_an_intent_without_the_lease_of_its_account_is_refused(
    desk: Desk, changes: dict[str, object]
) -> None:
    with pytest.raises(InvariantBroken, match="without its lease"):
        desk.intend(**changes)  # type: ignore[arg-type]  # the cases name real arguments
    assert not desk.journal.records


@pytest.mark.invariant("I30")
def test_an_intent_after_the_lease_was_given_back_is_refused(desk: Desk) -> None:
    desk.leases.release(desk.lease)
    with pytest.raises(InvariantBroken, match="without its lease"):
        desk.intend()


def test_everything_else_is_passed_on(desk: Desk) -> None:
    assert desk.fenced.run_id == desk.journal.run_id
    assert desk.fenced.record("plan", {"orders": 1}) == desk.journal.record("note", {}) - 1
    permit = desk.fenced.intend(
        "cancel_order",
        {"account": "main"},
        deadline_ms=desk.clock.now_ms() + 1,
        fencing_token=desk.lease.fencing_token,
    )
    desk.fenced.settle(permit, MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED))
    assert desk.journal.events() == ["plan", "note", "intent", "outcome"]


def test_only_what_is_on_disk_is_told(desk: Desk) -> None:
    told: list[str] = []

    def tell(event: str, _: object) -> None:
        told.append(event)

    fenced = FencedJournal(desk.journal, desk.leases.vouch, tell)
    fenced.record("taken_over", {})
    desk.journal.breaks_at = 2
    with pytest.raises(RecordUnwritableError):
        fenced.record("plan", {})
    assert told == ["taken_over"]


class Opened:
    """A gate that is ready to open, and two runs of which the second has taken the account."""

    def __init__(self, folder: Path) -> None:
        self.state_dir = folder / "state"
        self.state_dir.mkdir(mode=0o700)
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.first, self.second = self.run(), self.run()
        self.lease = self.first.acquire("main", "run-a", self.clock.now_ms())
        self.gate(self.first).move("main", GateState.UNSAFE, **self.by("run-a"))

    def run(self) -> Leases:
        return Leases(self.state_dir, store=self.store, clock=self.clock)

    def gate(self, leases: Leases | None) -> GateFiles:
        if leases is None:
            return GateFiles(self.state_dir, engine_files={}, store=self.store)
        return GateFiles(
            self.state_dir, engine_files={}, store=self.store, own_token=leases.token_of
        )

    def by(self, run_id: str) -> dict[str, Any]:
        return {"reason": "test", "by": "me", "run_id": run_id, "now_ms": self.clock.now_ms()}

    def opens(self, leases: Leases | None, run_id: str) -> GateState:
        evidence = {"valid_until_ms": self.clock.now_ms() + 1}
        gate = self.gate(leases)
        return gate.move("main", GateState.SAFE, evidence=evidence, **self.by(run_id)).state

    def take(self) -> Lease:
        self.clock.advance(TTL_MS + 1)
        token = self.lease.fencing_token
        taken = self.second.take(
            "main", "run-b", self.clock.now_ms(), from_token=token, reason="it hangs"
        )
        return taken.lease


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    made = Opened(tmp_path)
    yield made
    for leases in (made.first, made.second):
        leases.release(Lease("main", "", leases.token_of("main") or 0, 0))


@pytest.mark.invariant("I11")
def test_the_holder_opens_the_gate_and_a_replaced_one_does_not(opened: Opened) -> None:
    newer = opened.take()
    with pytest.raises(RefusedError, match="run-b has held the account since"):
        opened.opens(opened.first, "run-a")
    assert opened.gate(None).read("main").state is GateState.UNSAFE
    assert opened.opens(opened.second, "run-b") is GateState.SAFE
    opened.second.release(newer)
    opened.gate(opened.second).move("main", GateState.UNSAFE, **opened.by("run-b"))
    with pytest.raises(RefusedError, match="run-b has held the account since"):
        opened.opens(opened.first, "run-a")


@pytest.mark.invariant("I12")
def test_a_replaced_holder_may_still_close_the_gate(opened: Opened) -> None:
    opened.take()
    assert opened.opens(opened.second, "run-b") is GateState.SAFE
    closed = opened.gate(opened.first).move("main", GateState.UNSAFE, **opened.by("run-a"))
    assert closed.state is GateState.UNSAFE


@pytest.mark.invariant("I11")
@pytest.mark.parametrize("with_store", [True, False])
def test_without_a_lease_the_gate_opens_only_while_nobody_works(
    opened: Opened, with_store: bool
) -> None:
    if not with_store:
        opened.store = MemoryStore()
    with pytest.raises(RefusedError, match="while run run-a"):
        opened.opens(None, "run-c")
    opened.first.release(opened.lease)
    assert opened.opens(None, "run-c") is GateState.SAFE


@pytest.mark.invariant("I11")
def test_without_the_store_no_gate_opens_and_every_gate_closes(opened: Opened) -> None:
    gate = GateFiles(
        opened.state_dir,
        engine_files={},
        store=NullStore("disk I/O error"),
        own_token=opened.first.token_of,
    )
    evidence = {"valid_until_ms": opened.clock.now_ms() + 1}
    with pytest.raises(RefusedError, match="not known who held the account last: disk I/O"):
        gate.move("main", GateState.SAFE, evidence=evidence, **opened.by("run-a"))
    closed = gate.move("main", GateState.UNSAFE, **opened.by("run-a"))
    assert closed.state is GateState.UNSAFE


@pytest.mark.invariant("I31")
@pytest.mark.parametrize("disk", [True, False])
def test_an_older_run_does_not_overwrite_the_verdict_of_a_newer_one(
    tmp_path: Path, disk: bool
) -> None:
    store: Store = open_store(tmp_path, 0) if disk else MemoryStore()
    old = store.grant_lease("main", "run-a", token_above=0, expires_ms=1)
    new = store.grant_lease("main", "run-b", token_above=0, expires_ms=1)
    assert isinstance(old, int)
    assert isinstance(new, int)
    assert store.remember_verdict(verdict("run-b", 5), Fence("main", new))
    assert not store.remember_verdict(verdict("run-a", 9), Fence("main", old))
    last = store.last_verdict("main")
    assert isinstance(last, VerdictRecord)
    assert last.run_id == "run-b"
    assert store.remember_verdict(verdict("run-c", 10))
    assert store.remember_verdict(verdict("run-d", 11), Fence("never granted", 1))
    store.close()


def verdict(run_id: str, as_of_ms: int) -> VerdictRecord:
    return VerdictRecord(
        account="main",
        verdict=Verdict.CLEAN,
        blocks_resume=False,
        as_of_ms=as_of_ms,
        valid_until_ms=as_of_ms + 10,
        run_id=run_id,
        digests={},
    )


class Repair:
    """A checkpoint in memory."""

    def __init__(self) -> None:
        self.written = 0

    def write(self, snapshot: EngineSnapshot, now_ms: int) -> str:
        self.written += 1
        return "digest"


@pytest.mark.invariant("I31")
def test_a_checkpoint_is_repaired_only_by_the_run_that_still_holds_the_account(
    opened: Opened,
) -> None:
    repair = Repair()
    fenced = FencedRepair(
        repair, lambda: opened.first.demand(("main", "reconcile of main"), opened.clock.now_ms())
    )
    unknown = Unknown("not read")
    snapshot = EngineSnapshot(
        account="main",
        as_of_ms=0,
        sequence=1,
        source=Provenance(adapter="none", place="-"),
        orders=unknown,
        fills=unknown,
        positions=unknown,
        balances=unknown,
    )
    assert fenced.write(snapshot, 0) == "digest"
    opened.take()
    with pytest.raises(LockedError, match="taken over by run run-b"):
        fenced.write(snapshot, 0)
    opened.first.release(opened.lease)
    with pytest.raises(LockedError, match="not held by this run"):
        fenced.write(snapshot, 0)
    assert repair.written == 1
