"""Only a loaded unit that ran and ended, with nothing left of it, proves silence."""

from pathlib import Path

import pytest

from resyncctl.adapters.engine.silence_systemd import UnitSilence
from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.silence import Silence

GATE = GateReading(
    account="main", state=GateState.UNSAFE, reason="", since_ms=1, by=None, sequence=1
)
NOW_MS = 1_790_000_000_000
UPTIME_US = 900_000_000
STOPPED = {
    "LoadState": "loaded",
    "ActiveState": "inactive",
    "InactiveEnterTimestampMonotonic": str(UPTIME_US - 7_500_000),
    "ControlGroup": "",
}


class Manager:
    """A `systemctl` that answers as told, and notes what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "systemctl"
        (folder / "cgroup").mkdir()

    def answers(self, **changes: str) -> None:
        text = "\n".join(f"{name}={value}" for name, value in {**STOPPED, **changes}.items())
        self.does(f"cat <<'END'\n{text}\nEND")

    def does(self, script: str) -> None:
        asked = self.folder / "asked"
        self.program.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" >{asked}\nenv >{asked}.env\n{script}\n'
        )
        self.program.chmod(0o700)

    def look(self, unit: str = "mm.service", *, user: bool = False) -> Silence:
        view = UnitSilence(
            unit,
            user=user,
            timeout_ms=2_000,
            program=str(self.program),
            control_groups=self.folder / "cgroup",
            now_us=lambda: UPTIME_US,
        )
        return view.observe("main", GATE, NOW_MS)


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(tmp_path)


@pytest.mark.parametrize("active", ["inactive", "failed"])
def test_a_stopped_unit_is_silent_since_it_became_inactive(manager: Manager, active: str) -> None:
    manager.answers(ActiveState=active)
    seen = manager.look()
    assert (seen.proved, seen.since_ms) == (True, NOW_MS - 7_500)
    assert seen.how == f"unit mm.service is {active}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ActiveState": "active"}, "the engine runs"),
        ({"ActiveState": "activating"}, "the engine runs"),
        ({"ActiveState": "deactivating"}, "the engine runs"),
        ({"ActiveState": "reloading"}, "the engine runs"),
        ({"ActiveState": ""}, "not known"),
        ({"LoadState": "not-found"}, "knows no unit"),
        ({"LoadState": "masked"}, "knows no unit"),
        ({"InactiveEnterTimestampMonotonic": "0"}, "has not run since this host started"),
        ({"InactiveEnterTimestampMonotonic": ""}, "has not run since this host started"),
        ({"InactiveEnterTimestampMonotonic": str(UPTIME_US + 1)}, "has not run"),
    ],
)
def test_everything_else_is_unproved(manager: Manager, changes: dict[str, str], words: str) -> None:
    manager.answers(**changes)
    seen = manager.look()
    assert not seen.proved
    assert words in seen.how


@pytest.mark.invariant("I15")
def test_processes_that_the_unit_left_behind_may_still_send(manager: Manager) -> None:
    manager.answers(ControlGroup="/system.slice/mm.service")
    assert manager.look().proved
    group = manager.folder / "cgroup" / "system.slice" / "mm.service" / "inner"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("")
    assert manager.look().proved
    (group / "cgroup.procs").write_text("71\n")
    assert "processes are left" in manager.look().how


def test_a_unit_is_one_argument_and_the_environment_is_small(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_SECRET", "canary")
    manager.answers()
    manager.look("--help; rm -rf x", user=True)
    asked = (manager.folder / "asked").read_text().splitlines()
    assert asked[:2] == ["--user", "show"]
    assert asked[-2:] == ["--", "--help; rm -rf x"]
    assert "canary" not in (manager.folder / "asked.env").read_text()


def test_a_manager_that_fails_hangs_or_is_missing_proves_nothing(manager: Manager) -> None:
    assert "could not be asked" in manager.look().how
    manager.does("printf 'no \\033[2J bus' >&2; exit 1")
    assert manager.look().how.endswith("no [2J bus")
    manager.does("exec sleep 60")
    assert "no answer within 2 s" in manager.look().how
    manager.does("printf '\\377\\000garbage'")
    assert "knows no unit" in manager.look().how
