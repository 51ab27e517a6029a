"""`watch` and the options of a take-over, without an exchange: what is followed and refused."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from resyncctl.adapters.clock import SystemClock
from resyncctl.adapters.store.journal import FileJournal
from resyncctl.adapters.store.lease import Leases
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.mutation import MutationOutcome, OutcomeKind
from resyncctl.ports.powers import Lease
from tests.adapters.store.journals import begun
from tests.cli.running import CONFIG, Ran, configured, inside

RUN = "20261121T103000Z-cancel-all-7f3k"
TWO = CONFIG.replace(
    "[engines.mm1]",
    """[accounts.second]
venue = "binance"
mode = "practice"
credentials = { source = "file", path = "main.key" }
scopes = ["spot"]
practice = { address = "127.0.0.1:1", ca_file = "ca.pem" }

[engines.mm1]""",
)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in list(os.environ):
        if name.startswith(("RESYNCCTL_", "XDG_", "NO_COLOR", "FORCE_COLOR")):
            monkeypatch.delenv(name)


class Holder:
    """A run of another process, as this host sees it: its lock and its journal."""

    def __init__(self, folder: Path) -> None:
        self.state_dir = folder / "state"
        self.path = configured(folder, TWO)
        self.clock = SystemClock()
        self.leases = Leases(self.state_dir, store=NullStore("not needed"), clock=self.clock)
        self.held: list[Lease] = []
        self.journal: FileJournal | None = None

    def holds(self, *accounts: str) -> None:
        for account in accounts:
            self.held.append(self.leases.acquire(account, RUN, self.clock.now_ms()))

    def writes(self) -> FileJournal:
        self.journal = begun(self.state_dir, RUN, "main")
        permit = self.journal.intend(
            "cancel_symbol",
            {"account": "main", "symbol": "BTC/USDT"},
            deadline_ms=self.clock.now_ms() + 5_000,
            fencing_token=1,
        )
        self.journal.settle(permit, MutationOutcome(kind=OutcomeKind.ACKNOWLEDGED))
        return self.journal

    def watch(self, *words: str) -> Ran:
        return inside("--config", self.path, "watch", *words)

    def close(self) -> None:
        for lease in self.held:
            self.leases.release(lease)
        if self.journal is not None:
            self.journal.close()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    made = Holder(tmp_path)
    yield made
    made.close()


def test_without_a_holder_there_is_nothing_to_watch(holder: Holder) -> None:
    ran = holder.watch("main")
    assert ran.code == 0, ran.err
    assert "main: no run holds the account" in ran.out
    document = holder.watch("--json").document()
    assert [one["status"] for one in document["accounts"]] == ["not_held", "not_held"]


def test_two_held_accounts_have_to_be_told_apart(holder: Holder) -> None:
    holder.holds("main", "second")
    ran = holder.watch()
    assert ran.code == ExitCode.USAGE
    assert "name one: main, second" in ran.err


def test_a_run_that_ended_is_told_with_its_code_and_events(holder: Holder) -> None:
    holder.holds("main")
    holder.writes().end(13, "RESIDUAL")
    ran = holder.watch()
    assert ran.code == ExitCode.BLOCKED
    for words in ("cancel-all began", "intent: cancel_symbol BTC/USDT", "answer: ACKNOWLEDGED"):
        assert words in ran.out
    assert f"run {RUN} ended with 13 RESIDUAL" in " ".join(ran.out.split())
    data = holder.watch("--json").document()["accounts"][0]["data"]
    assert (data["run_exit_code"], data["requests"], data["unanswered"]) == (13, 1, 0)


def test_every_event_can_be_read_by_a_program(holder: Holder) -> None:
    holder.holds("main")
    holder.writes().end(0, "OK")
    ran = holder.watch("-o", "jsonl")
    assert ran.code == 0, ran.err
    events = [json.loads(line) for line in ran.out.splitlines()]
    names = [event["name"] for event in events if event["event"] == "record"]
    assert names == ["began", "intent", "outcome", "ended"]
    assert all(event["run_id"] == RUN for event in events if event["event"] == "record")


def test_a_run_that_died_is_told_from_one_that_ended(holder: Holder) -> None:
    holder.holds("main")
    journal = holder.writes()
    journal.intend("cancel_symbol", {"account": "main"}, deadline_ms=1, fencing_token=1)
    journal.close()
    ran = holder.watch("-q")
    assert ran.code == ExitCode.BLOCKED
    said = " ".join(holder.watch().out.split())
    assert "died without coming to its end; 1 of its requests have no known outcome" in said
    assert "next: resyncctl status main" in said


def test_a_holder_without_a_readable_journal_is_not_called_ended(holder: Holder) -> None:
    holder.holds("main")
    ran = holder.watch()
    assert ran.code == ExitCode.INCOMPLETE
    assert "cannot be read whole" in " ".join(ran.out.split())


@pytest.mark.parametrize("verb", ["cancel-all", "flatten"])
def test_a_take_over_needs_a_reason(holder: Holder, verb: str) -> None:
    ran = inside("--config", holder.path, verb, "main", "--take-over", "  ")
    assert ran.code == ExitCode.USAGE
    assert "--take-over: say why" in ran.err
    ran = inside("--config", holder.path, verb, "main", "--lock-timeout", "soon")
    assert ran.code == ExitCode.USAGE
    assert "--lock-timeout" in ran.err
