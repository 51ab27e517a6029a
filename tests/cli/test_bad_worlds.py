"""Checkpoints that cannot be believed, and disks that cannot be written: one message, one code."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resyncctl.core.exit_codes import ExitCode
from resyncctl.sdk.canonical import JsonObject
from resyncctl.sdk.writer import CheckpointWriter
from tests.cli.running import ROOT, Ran, configured, inside
from tests.sdk.samples import content


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in list(os.environ):
        if name.startswith(("RESYNCCTL_", "XDG_")):
            monkeypatch.delenv(name)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def write(path: Path, *, at_ms: int | None = None, account: str = "main", count: int = 1) -> None:
    moment = at_ms or now_ms()
    header: JsonObject = {
        "exchange": "binance",
        "market_type": "spot",
        "account_ref": account,
        "sandbox": False,
        "dry_run": False,
    }
    with CheckpointWriter(path, now_ms=lambda: moment) as writer:
        for number in range(count):
            writer.write(content(account=header, state_as_of_ms=moment - count + number))


def show(path: str) -> Ran:
    ran = inside("--config", path, "engine", "show", "main")
    assert "Traceback" not in ran.out + ran.err
    return ran


def test_a_fresh_checkpoint_is_shown_whole(tmp_path: Path) -> None:
    path = configured(tmp_path)
    write(tmp_path / "checkpoint.json")
    ran = show(path)
    assert "bot-1" in ran.out
    document = inside("--config", path, "engine", "show", "main", "--json").document()
    assert document["sections"]["orders"]["known"] is True


def test_a_corrupt_checkpoint(tmp_path: Path) -> None:
    path = configured(tmp_path)
    write(tmp_path / "checkpoint.json")
    for generation in tmp_path.glob("checkpoint*.json"):
        generation.write_bytes(generation.read_bytes().replace(b"50000", b"50001"))
    ran = show(path)
    assert ran.code == ExitCode.DATAERR
    assert "CHECKPOINT_CORRUPT" in ran.out
    assert "checkpoint.json" in ran.out


def test_a_stale_checkpoint(tmp_path: Path) -> None:
    path = configured(tmp_path)
    write(tmp_path / "checkpoint.json", at_ms=now_ms() - 3_600_000)
    ran = show(path)
    assert ran.code == ExitCode.INCOMPLETE
    assert "CHECKPOINT_STALE" in ran.out


def test_a_foreign_checkpoint(tmp_path: Path) -> None:
    path = configured(tmp_path)
    write(tmp_path / "checkpoint.json", account="somebody-else")
    ran = show(path)
    assert ran.code == ExitCode.INCOMPLETE
    assert "CHECKPOINT_FOREIGN" in ran.out
    assert "orders: not known" in ran.out


def test_a_rolled_back_checkpoint(tmp_path: Path) -> None:
    path = configured(tmp_path)
    checkpoint = tmp_path / "checkpoint.json"
    write(checkpoint)
    old = {one: one.read_bytes() for one in tmp_path.glob("checkpoint*")}
    write(checkpoint, count=3)
    show(path)
    for one in tmp_path.glob("checkpoint*"):
        one.unlink()
    for one, data in old.items():
        one.write_bytes(data)
    ran = show(path)
    assert ran.code in {ExitCode.DATAERR, ExitCode.INCOMPLETE}
    assert "CHECKPOINT_" in ran.out


def full_disk(*argv: str) -> Ran:
    """Run the command line where not one byte can be written into any file."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-m", "resyncctl", *argv],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "Traceback" not in done.stdout + done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.process
def test_a_full_disk_refuses_a_reconcile_before_it_begins(tmp_path: Path) -> None:
    ran = full_disk("--config", configured(tmp_path), "reconcile", "--json")
    assert ran.code == ExitCode.IOERR
    assert ran.document()["error"]["kind"] == "record_unwritable"


@pytest.mark.process
def test_a_full_disk_does_not_keep_the_gate_open(tmp_path: Path) -> None:
    path = configured(tmp_path)
    (tmp_path / "gate.json").write_text("{}")
    ran = full_disk("--config", path, "cancel-all", "--yes", "--json")
    # Nothing listens at the configured address; what counts is that the gate was closed first.
    assert ran.code in {ExitCode.UNAVAILABLE, ExitCode.CONFIG}
    gate = tmp_path / "gate.json"
    assert not gate.exists() or gate.read_text() in {"", "{}"}
    state = inside("--config", path, "gate", "show", "main", "--json").document()
    assert state["evidence"]["main"]["state"] == "UNSAFE"
    assert json.dumps(state)
