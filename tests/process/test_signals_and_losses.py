"""What hits a process from outside: signals, a pause, a lost terminal, a full disk, no input."""

import contextlib
import os
import pty
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.harness import Home, Running
from tests.process.sweeps import WHOLE_TIER, keep, no_request_without_an_intent, open_gate

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]
FIRST_ANSWER = "answer DELETE"


INTENT = re.compile(r'"event":"intent".*?"sequence":(\d+)')


def fallbacks(said: str) -> list[Path]:
    """The journals that were continued elsewhere, as the warnings name them."""
    named = {
        Path(name) for name in re.findall(r"the journal goes on in (/\S+journal\.jsonl)", said)
    }
    return sorted(path for path in named if path.exists())


def words(home: Home) -> tuple[str, ...]:
    return ("cancel-all", home.account, "--yes", "--reason", "hit from outside")


def prepared(home: Home) -> Home:
    open_gate(home)
    home.rest_orders()
    return home


def goes_on(home: Home) -> None:
    """The next run makes everything good."""
    no_request_without_an_intent(home)
    assert home.gate() == "UNSAFE"
    again = home.run(*words(home))
    assert again.code == 0, again.said
    assert not home.orders()
    assert home.run("audit", "verify").code == 0


@pytest.mark.invariant("I25")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_first_signal_ends_in_order_and_says_how_to_go_on(
    home: Home, number: signal.Signals, code: int
) -> None:
    prepared(home)
    ended = home.run(*words(home), at=FIRST_ANSWER, signal=int(number))
    assert ended.code == code, ended.said
    assert "record ended" in ended.trace
    assert "next:" in ended.said
    goes_on(home)
    keep(f"{number.name} at the first answer", {"points": 1, "held": 1})


@pytest.mark.invariant("I25")
def test_a_hang_up_ends_nothing(home: Home) -> None:
    prepared(home)
    ended = home.run(*words(home), at=FIRST_ANSWER, signal=int(signal.SIGHUP))
    assert ended.code == 0, ended.said
    assert not home.orders()
    goes_on(home)
    keep("SIGHUP at the first answer", {"points": 1, "held": 1})


@pytest.mark.invariant("I30", "I31")
@pytest.mark.skipif(not WHOLE_TIER, reason="it waits longer than a lease lives")
def test_a_pause_longer_than_the_lease(home: Home) -> None:
    prepared(home)
    running = home.start(*words(home), at="record intent", signal=int(signal.SIGSTOP))
    running.until("record intent")
    time.sleep(1)
    before = len(home.sent("cancel"))
    other = home.run(*words(home))
    assert other.code == 25, other.said
    time.sleep(16)
    assert len(home.sent("cancel")) == before
    os.kill(running.pid, signal.SIGCONT)
    ended = running.wait()
    assert ended.code in {0, 13, 25}, ended.said
    assert (ended.code == 0) == (not home.orders()), ended.said
    goes_on(home)
    keep("SIGSTOP longer than the lease", {"points": 1, "held": 1})


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, str]]:
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    try:
        yield master, name
    finally:
        for handle in (master, slave):
            with contextlib.suppress(OSError):
                os.close(handle)


def typed(master: int, running: Running, wanted: bytes, answer: bytes) -> bytes:
    """Read the screen until it asks, type an answer, and return what was read."""
    seen = b""
    while wanted not in seen:
        assert not running.ended(), seen.decode(errors="replace")
        seen += os.read(master, 4096)
    os.write(master, answer)
    return seen


@pytest.mark.invariant("I25", "I35")
def test_a_terminal_that_goes_away_ends_nothing(home: Home) -> None:
    prepared(home)
    master, slave = pty.openpty()
    running = home.start(*words(home), terminal=os.ttyname(slave))
    running.until("record plan")
    os.close(slave)
    os.close(master)
    ended = running.wait()
    assert ended.code == 0, ended.code
    assert "record ended" in ended.trace
    assert not home.orders()
    goes_on(home)
    keep("the terminal goes away", {"points": 1, "held": 1})


@pytest.mark.invariant("I42")
def test_an_input_that_ends_at_the_question_sends_nothing(home: Home) -> None:
    prepared(home)
    with terminal() as (master, name):
        running = home.start("cancel-all", home.account, "--reason", "asked", terminal=name)
        typed(master, running, b"(Y/n)", b"\x04")
        ended = running.wait()
    assert ended.code == 130, ended.code
    assert not home.sent("cancel")
    assert len(home.orders()) == 6
    goes_on(home)
    keep("the input ends at the question", {"points": 1, "held": 1})


@pytest.mark.invariant("I42")
def test_without_any_input_the_gate_closes_and_nothing_is_sent(home: Home) -> None:
    prepared(home)
    ended = home.run("cancel-all", home.account, "--reason", "nobody is there")
    assert ended.code not in {0, 1}, ended.said
    assert "--yes" in ended.said
    assert not home.sent("cancel")
    goes_on(home)
    keep("no input at all", {"points": 1, "held": 1})


@pytest.mark.invariant("I46")
@pytest.mark.parametrize("size", [0, 2048, 8192])
def test_a_disk_that_fills_up_does_not_stop_a_cancel(home: Home, size: int) -> None:
    prepared(home)
    folder = home.folder / "runs-of-the-test" / "0"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "fifo")
    reader = os.open(folder / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        running = home.start(*words(home), file_size=size, fifo=True)
        ended = running.wait()
        said = os.read(reader, 65_536).decode()
    finally:
        os.close(reader)
    assert "Traceback" not in said
    assert ended.code in {0, 13}, said
    assert not home.orders()
    # The same intent may stand in two places: what was on a full disk is mirrored once more.
    places = [path.read_text(errors="replace") for path in [*home.journals(), *fallbacks(said)]]
    intents = {found for text in [said, *places] for found in INTENT.findall(text)}
    assert len(home.sent("cancel")) <= len(intents), said
    again = home.run(*words(home))
    assert again.code == 0, again.said
    assert home.gate() == "UNSAFE"
    keep(f"no file may grow beyond {size} bytes", {"points": 1, "held": 1})
