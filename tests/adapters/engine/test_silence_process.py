"""A process that lives, hides or was never seen is no proof of silence; one that ended is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from resyncctl.adapters.engine import processes
from resyncctl.adapters.engine.silence_process import MatchedSilence, PidFileSilence
from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.silence import Silence

GATE = GateReading(
    account="main", state=GateState.UNSAFE, reason="", since_ms=1, by=None, sequence=1
)
BOOT_S = 1_700_000_000
TICKS = os.sysconf("SC_CLK_TCK")
NOW_MS = (BOOT_S + 5_000) * 1000


class Host:
    """A `/proc` of our own, whose processes come and go as told."""

    def __init__(self, folder: Path) -> None:
        self.proc = folder / "proc"
        self.proc.mkdir()
        (self.proc / "stat").write_text(f"cpu 1 2\nbtime {BOOT_S}\n")
        self.pid_file = folder / "bot.pid"
        self.run(1, "init")

    def run(
        self, pid: int, *argv: str, started_s: int = 100, state: str = "S", threads: str = "S"
    ) -> None:
        folder = self.proc / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "stat").write_text(self._stat(pid, state, started_s))
        arguments = "".join(f"{one}\0" for one in argv)
        (folder / "cmdline").write_text("" if state == "Z" else arguments)
        for number, mark in enumerate(threads):
            task = folder / "task" / str(pid + number)
            task.mkdir(parents=True, exist_ok=True)
            (task / "stat").write_text(self._stat(pid + number, mark, started_s))
            (task / "cmdline").write_text("" if mark == "Z" else arguments)

    def end(self, pid: int) -> None:
        for path in sorted((self.proc / str(pid)).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (self.proc / str(pid)).rmdir()

    def write_pid(self, text: str, written_s: int = 101) -> None:
        self.pid_file.write_text(text)
        at_ns = (BOOT_S + written_s) * 1_000_000_000
        os.utime(self.pid_file, ns=(at_ns, at_ns))

    @staticmethod
    def _stat(pid: int, state: str, started_s: int) -> str:
        before = " ".join("0" for _ in range(18))
        return f"{pid} (b) ot) {state} {before} {started_s * TICKS} 0 0"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def look(view: PidFileSilence | MatchedSilence, after_ms: int = 0) -> Silence:
    return view.observe("main", GATE, NOW_MS + after_ms)


def test_a_process_that_ended_is_silent_since_it_was_first_seen_gone(host: Host) -> None:
    host.run(40, "python3", "bot.py")
    host.write_pid("40\n")
    view = PidFileSilence(host.pid_file, proc=host.proc)
    assert look(view).how == "the engine runs: process 40"
    host.end(40)
    assert (look(view, 10).proved, look(view, 10).since_ms) == (True, NOW_MS + 10)
    assert look(view, 900).since_ms == NOW_MS + 10
    host.run(40, "python3", "bot.py", started_s=100)
    assert not look(view, 1_000).proved
    host.end(40)
    assert look(view, 2_000).since_ms == NOW_MS + 2_000


@pytest.mark.parametrize("text", ["", "bot", "-3", "0", "4.5", "\x1b[2J"])
def test_a_pid_file_without_a_number_proves_nothing(host: Host, text: str) -> None:
    host.write_pid(text)
    assert "cannot be used" in look(PidFileSilence(host.pid_file, proc=host.proc)).how


def test_a_pid_file_that_anybody_could_have_written_proves_nothing(host: Host) -> None:
    host.write_pid("40")
    view = PidFileSilence(host.pid_file, proc=host.proc)
    assert look(view).proved
    host.pid_file.chmod(0o666)
    assert "writable by everybody" in look(view).how


def test_a_missing_pid_file_proves_nothing_until_the_process_was_seen_to_end(host: Host) -> None:
    view = PidFileSilence(host.pid_file, proc=host.proc)
    assert "no pid file" in look(view).how
    host.run(40, "bot")
    host.write_pid("40")
    assert not look(view).proved
    host.pid_file.unlink()
    assert not look(view).proved
    host.end(40)
    assert look(view).proved


@pytest.mark.invariant("I15")
def test_a_number_that_was_used_again_is_not_taken_for_the_engine(host: Host) -> None:
    host.run(40, "bot", started_s=100)
    host.write_pid("40", written_s=101)
    view = PidFileSilence(host.pid_file, proc=host.proc)
    assert "the engine runs" in look(view).how
    host.run(40, "mail", started_s=300)
    assert "may be another program" in look(view).how
    host.pid_file.unlink()
    # The process that was seen had another start, so it has ended whoever has its number now.
    assert look(view).proved


@pytest.mark.parametrize(
    ("state", "threads", "lives"),
    [("T", "T", True), ("D", "D", True), ("Z", "Z", False), ("Z", "ZS", True), ("X", "X", False)],
)
def test_a_stopped_engine_lives_and_a_dead_one_only_by_its_threads(
    host: Host, state: str, threads: str, lives: bool
) -> None:
    host.run(40, "bot", state=state, threads=threads)
    host.write_pid("40")
    assert look(PidFileSilence(host.pid_file, proc=host.proc)).proved is not lives


@pytest.mark.invariant("I15")
def test_hidden_processes_prove_nothing(host: Host) -> None:
    host.run(40, "bot")
    host.write_pid("41")
    view = PidFileSilence(host.pid_file, proc=host.proc)
    assert look(view).proved
    host.end(1)
    assert "does not show the processes of other users" in look(view).how
    matched = MatchedSilence(("bot",), seen_file=host.pid_file, proc=host.proc)
    assert not look(matched).proved
    assert not look(MatchedSilence(("bot",), seen_file=host.pid_file, proc=Path("/no"))).proved


@pytest.mark.invariant("I15")
def test_arguments_that_never_matched_prove_nothing(host: Host, tmp_path: Path) -> None:
    seen_file = tmp_path / "state" / "engines" / "mm.seen"

    def fresh(*argv: str) -> MatchedSilence:
        return MatchedSilence(argv, seen_file=seen_file, proc=host.proc)

    assert "none was ever seen" in look(fresh("python3", "bot.py")).how
    host.run(40, "/usr/bin/python3", "bot.py", "--fast")
    assert "process 40" in look(fresh("python3", "bot.py")).how
    host.end(40)
    gone = fresh("python3", "bot.py")
    assert (look(gone).proved, look(gone, 5).since_ms) == (True, NOW_MS)
    assert "none was ever seen" in look(fresh("python3", "bot2.py")).how
    seen_file.write_bytes(seen_file.read_bytes()[:-20])
    assert not look(fresh("python3", "bot.py")).proved


@pytest.mark.parametrize(
    ("argv", "fits"),
    [
        (("python3", "bot.py"), True),
        (("bot.py",), True),
        (("bot.py", "--fast"), True),
        (("/usr/bin/python3", "bot.py"), True),
        (("python3", "--fast"), False),
        (("bot",), False),
        (("ython3", "bot.py"), False),
        (("python3", "bot.py", "--fast", "more"), False),
    ],
)
def test_arguments_fit_one_after_another(host: Host, argv: tuple[str, ...], fits: bool) -> None:
    host.run(40, "/usr/bin/python3", "bot.py", "--fast")
    assert bool(processes.matching(argv, host.proc)) is fits


def test_an_engine_whose_first_thread_ended_is_still_found(host: Host) -> None:
    host.run(40, "bot", state="Z", threads="ZS")
    assert processes.matching(("bot",), host.proc)


def test_a_disk_that_refuses_costs_the_proof_and_nothing_else(host: Host, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    view = MatchedSilence(("bot",), seen_file=blocked / "mm.seen", proc=host.proc)
    host.run(40, "bot")
    assert "the engine runs" in look(view).how
    host.end(40)
    assert look(view).proved
    again = MatchedSilence(("bot",), seen_file=blocked / "mm.seen", proc=host.proc)
    assert not look(again).proved


@pytest.mark.process
def test_a_real_process_is_seen_alive_and_then_gone(tmp_path: Path) -> None:
    pid_file = tmp_path / "bot.pid"
    argv = (sys.executable, "-c", "input()", "resyncctl-silence-probe")
    matched = MatchedSilence(argv[2:], seen_file=tmp_path / "seen")
    named = PidFileSilence(pid_file)
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        pid_file.write_text(f"{process.pid}\n")
        assert f"process {process.pid}" in look(named).how
        assert f"process {process.pid}" in look(matched).how
    assert look(named).proved
    assert look(matched).proved
