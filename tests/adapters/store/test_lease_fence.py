"""No intent is written down that no lease of this process carries."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from resyncctl.adapters.store.lease import TTL_MS, Leases
from resyncctl.adapters.store.lease_fence import FencedJournal
from resyncctl.core.errors import InvariantBroken
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
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
    desk.fenced.record("plan", {"orders": 1})
    permit = desk.fenced.intend(
        "cancel_order",
        {"account": "main"},
        deadline_ms=desk.clock.now_ms() + 1,
        fencing_token=desk.lease.fencing_token,
    )
    desk.fenced.settle(permit, MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED))
    assert desk.journal.events() == ["plan", "intent", "outcome"]
