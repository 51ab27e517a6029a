"""What an engine believes, asked of a program that prints its checkpoint."""

import sys
import time
from pathlib import Path

import pytest

from resyncctl.adapters.engine.command import CommandEngine
from resyncctl.core.snapshot import EngineSnapshot
from resyncctl.ports.views import EngineView
from tests.adapters.engine.test_checkpoint_engine import (
    SOON_MS,
    kinds,
    nothing_is_known,
    read,
    rows_of,
    write,
)

pytestmark = pytest.mark.process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.json"


def ask(script: str, *, timeout_ms: int = 20_000, size_limit: int = 100_000) -> EngineSnapshot:
    engine: EngineView = CommandEngine(
        [sys.executable, "-c", script],
        exchange="binance",
        timeout_ms=timeout_ms,
        size_limit=size_limit,
    )
    return engine.read("main", SOON_MS)


def test_what_it_prints_is_read_like_a_file(path: Path) -> None:
    write(path)
    snapshot = ask(f"print(open({str(path)!r}).read())")
    assert snapshot.trouble == ()
    assert snapshot.source.adapter == "command"
    assert rows_of(snapshot.orders) == rows_of(read(path).orders)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("", "cannot be believed"),
        ("print('{}')", "unknown schema"),
        (
            "import sys; print('no \\x1b[31mdatabase', file=sys.stderr); sys.exit(3)",
            "code 3: no",
        ),
        ("print('x' * 200)", "more than 100 bytes"),
    ],
)
def test_anything_else_is_not_known(script: str, words: str) -> None:
    snapshot = ask(script, size_limit=100)
    assert kinds(snapshot) == ["CHECKPOINT_CORRUPT"]
    assert words in snapshot.trouble[0][1]
    assert "\x1b" not in snapshot.trouble[0][1]
    assert nothing_is_known(snapshot)


def test_a_command_that_hangs_is_stopped_with_its_children(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    began = time.monotonic()
    snapshot = ask(script, timeout_ms=700)
    assert time.monotonic() - began < 10
    assert "did not end within 0.7 s" in snapshot.trouble[0][1]
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            break
        time.sleep(0.02)
    else:
        pytest.fail("the command's child is still alive")


def test_a_command_that_is_not_there_is_told() -> None:
    engine = CommandEngine(["/no/such/program"], exchange="binance")
    assert "cannot be started" in engine.read("main", SOON_MS).trouble[0][1]


def test_the_command_gets_no_secrets_from_the_environment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESYNCCTL_API_SECRET", "canary")
    snapshot = ask("import os, sys; sys.exit(str(sorted(os.environ)))")
    assert "RESYNCCTL" not in snapshot.trouble[0][1]
    assert "PATH" in snapshot.trouble[0][1]
