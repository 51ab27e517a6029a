"""Who may open a gate, which requests for an account are obeyed, and how a holder is named."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from resyncctl.adapters.store.lease_asks import Ask, add_ask, asks_file, read_asks, standing_ask
from resyncctl.adapters.store.lease_fence import refuse_stale_opener
from resyncctl.adapters.store.lease_words import read_holder, replaced
from resyncctl.adapters.store.lock_files import lock, read_lock
from resyncctl.adapters.store.null_store import NullStore
from resyncctl.core.errors import RefusedError
from resyncctl.ports.powers import Lease
from resyncctl.ports.store import Store
from tests.adapters.store.test_lease import Host
from tests.fakes.memory_store import MemoryStore


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.close()


def opens(
    host: Host, *, run_id: str = "run-a", own_token: int | None, store: Store | None = None
) -> None:
    refuse_stale_opener(
        host.state_dir,
        store if store is not None else host.store,
        "main",
        run_id=run_id,
        own_token=own_token,
        now_ms=host.clock.now_ms(),
    )


@pytest.mark.invariant("I11", "I30")
def test_only_the_newest_token_opens_a_gate(host: Host) -> None:
    opens(host, own_token=None)
    opens(host, own_token=0)
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    opens(host, own_token=lease.fencing_token)
    with pytest.raises(RefusedError, match="run run-a has held the account since"):
        opens(host, run_id="run-0", own_token=lease.fencing_token - 1)
    leases.release(lease)
    with pytest.raises(RefusedError, match="has held the account since"):
        opens(host, run_id="run-0", own_token=lease.fencing_token - 1)


@pytest.mark.invariant("I11", "I30")
def test_a_newer_token_counts_wherever_it_is_written(host: Host) -> None:
    only_in_the_store = MemoryStore()
    only_in_the_store.grant_lease("main", "run-x", token_above=8, expires_ms=1)
    opens(host, own_token=9, store=only_in_the_store)
    with pytest.raises(RefusedError, match="another run has held"):
        opens(host, own_token=8, store=only_in_the_store)
    lease = host.acquire(host.leases(), "run-a")
    empty = MemoryStore()
    with pytest.raises(RefusedError, match="run run-a has held"):
        opens(host, own_token=lease.fencing_token - 1, store=empty)
    with pytest.raises(RefusedError, match="run run-a has held"):
        opens(host, own_token=lease.fencing_token + 1, store=only_in_the_store)


@pytest.mark.invariant("I11")
def test_without_a_lease_nobody_else_may_work_on_the_account(host: Host) -> None:
    leases = host.leases()
    lease = host.acquire(leases, "run-a")
    opens(host, run_id="run-a", own_token=None)
    with pytest.raises(RefusedError, match=r"run run-a of .* works on the account"):
        opens(host, run_id="run-b", own_token=None)
    opens(host, run_id="run-b", own_token=lease.fencing_token)
    leases.release(lease)
    opens(host, run_id="run-b", own_token=None)


@pytest.mark.invariant("I11")
def test_an_unsigned_lock_is_another_process(host: Host) -> None:
    host.path.parent.mkdir(parents=True, exist_ok=True)
    file = lock(host.path)
    try:
        with pytest.raises(RefusedError, match="another process works on the account"):
            opens(host, own_token=None)
        assert read_holder(host.state_dir, "main") == "another process"
    finally:
        file.close()
    assert read_holder(host.state_dir, "main") is None


@pytest.mark.invariant("I11")
def test_a_store_that_cannot_say_who_opens_nothing(host: Host) -> None:
    with pytest.raises(RefusedError, match="it is not known who held"):
        opens(host, own_token=5, store=NullStore("gone"))


def test_a_holder_is_named_with_its_age(host: Host) -> None:
    host.acquire(host.leases(), "run-a")
    host.clock.advance(3_500)
    said = read_holder(host.state_dir, "main", host.clock.now_ms())
    assert said is not None
    assert said.endswith(f"process {os.getpid()}, for 3 s")
    signed = read_lock(host.path)
    assert signed is not None
    assert signed.describe(signed.since_ms - 5_000).endswith("for 0 s")
    real = read_holder(host.state_dir, "main")
    assert real is not None
    assert 0 <= int(real.rsplit(" ", 2)[1]) < 40 * 365 * 24 * 3600


def test_what_became_of_a_replaced_lock(host: Host) -> None:
    host.acquire(host.leases(), "run-b")
    there = read_lock(host.path)
    assert there is not None
    plain = "its lock file was replaced or removed"
    same = Lease("main", "run-a", there.fencing_token, 0)
    older = replace(same, fencing_token=there.fencing_token - 1)
    assert replaced(same, None) == plain
    assert replaced(same, there) == plain
    assert replaced(older, there).startswith(f"{plain}, and run run-b of ")
    taken = replace(there, taken_from="run-a", reason="it hangs")
    assert replaced(older, taken).startswith("taken over by run run-b of ")
    assert replaced(older, taken).endswith("because: it hangs")


def ask(**changes: object) -> Ask:
    base = Ask(
        run_id="run-b",
        user="me",
        host=socket.gethostname(),
        pid=os.getpid(),
        at_ms=100,
        reason="it hangs",
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # some on purpose of a wrong kind


@pytest.mark.parametrize(
    ("changes", "readable"),
    [
        ({}, True),
        ({"reason": None}, True),
        ({"pid": True}, False),
        ({"pid": "1"}, False),
        ({"at_ms": None}, False),
        ({"at_ms": 1.5}, False),
        ({"run_id": 1}, False),
        ({"user": None}, False),
        ({"host": 7}, False),
        ({"reason": 7}, False),
    ],
)
def test_a_request_of_another_shape_is_no_request(
    tmp_path: Path, changes: dict[str, object], readable: bool
) -> None:
    path = tmp_path / "main.lock"
    good = ask(run_id="run-c")
    lines = [json.dumps(asdict(one)) for one in (ask(**changes), good)]
    asks_file(path).write_text("not json\n\n[]\n" + "\n".join(lines) + "\n")
    expected = (ask(**changes), good) if readable else (good,)
    assert read_asks(path) == expected


def test_which_request_has_to_be_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "main.lock"
    rows = [
        ask(reason=None),
        ask(run_id="mine"),
        ask(at_ms=99),
        ask(run_id="run-x", at_ms=100),
        ask(run_id="run-y", at_ms=200),
    ]
    asks_file(path).write_text("".join(json.dumps(asdict(one)) + "\n" for one in rows))
    found = standing_ask(path, "mine", 100)
    assert found is not None
    assert found.run_id == "run-x"
    asks_file(path).write_text(json.dumps(asdict(ask(reason=None))) + "\n")
    assert standing_ask(path, "mine", 100) is None


def test_a_request_is_written_in_one_line_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "main.lock"
    before = len(os.listdir("/proc/self/fd"))
    assert add_ask(path, "run-b", 5, "it\nhangs   badly")
    assert add_ask(path, "run-b", 6, None)
    first, second = read_asks(path)
    assert (first.reason, second.reason) == ("it hangs badly", None)
    assert first.pid == os.getpid()
    assert len(os.listdir("/proc/self/fd")) == before
    assert not add_ask(tmp_path / "nowhere" / "main.lock", "run-b", 5, "x")
