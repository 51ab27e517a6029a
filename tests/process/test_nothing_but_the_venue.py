"""Every disk of the host is read-only, the environment is empty, and only the venue is left.

The command runs in a mount namespace of its own in which every file system was made read-only: no
store, no journal, no gate file, no lock file, no cache and no temporary folder can be written. That
is stricter than a full disk, and it holds for root as well.
"""

import os
import subprocess
import sys

import pytest

from tests.cli.running import ROOT
from tests.process.beliefs import write_belief
from tests.process.harness import Home
from tests.process.sweeps import keep, open_gate

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]
READ_ONLY = """
for place in $(cut -d' ' -f2 /proc/self/mounts); do
    mount -o remount,bind,ro "$place" 2>/dev/null || true
done
for place in "$1" /tmp /dev/shm /var/tmp "$PWD"; do
    if ( : > "$place/written" ) 2>/dev/null; then exit 99; fi
done
shift
exec env -i PATH="$PATH" HOME=/nonexistent LC_ALL=C.UTF-8 NO_COLOR=1 "$@"
"""


def alone(home: Home, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command where nothing can be written. Skip where that is not permitted."""
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    done = subprocess.run(
        [
            *("unshare", "--mount", *user, "--propagation", "private"),
            *("sh", "-eu", "-c", READ_ONLY, "alone", str(home.folder)),
            *(f"RESYNCCTL_CONFIG={home.folder / 'resyncctl.toml'}", f"PYTHONPATH={ROOT / 'src'}"),
            *(sys.executable, "-m", "resyncctl", *words),
        ],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    if done.returncode == 99 or "unshare:" in done.stderr:
        pytest.skip("this host does not let a test make its disks read-only")
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


@pytest.mark.invariant("I12", "I46")
def test_cancel_all_needs_nothing_but_the_venue(home: Home) -> None:
    home.rest_orders()
    done = alone(home, "cancel-all", home.account, "--yes", "--reason", "nothing else is left")
    assert not home.orders(), done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count('"event":"intent"') >= len(home.sent("cancel"))
    assert not home.sent("create")
    keep("every disk read-only: cancel-all", {"points": 1, "held": 1})


@pytest.mark.invariant("I11", "I46")
def test_resync_cancels_there_and_refuses_to_say_safe(home: Home) -> None:
    write_belief(home)
    open_gate(home)
    home.rest_orders()
    done = alone(home, "resync", home.account, "--reason", "disks", "--engine-stopped", "--yes")
    said = done.stdout + done.stderr
    assert not home.orders(), said
    assert done.returncode not in {0, 1, 2}, said
    assert "✓ SAFE" not in said
    assert home.gate() != "SAFE"
    assert not home.sent("create")
    keep("every disk read-only: resync", {"points": 1, "held": 1})


@pytest.mark.invariant("I11")
def test_the_gate_does_not_open_there(home: Home) -> None:
    write_belief(home)
    home.run("gate", "close", home.account, "--reason", "an incident")
    done = alone(
        home,
        *("verify", home.account, "--resume", "--confirm", home.account, "--no-watch"),
        "--engine-stopped",
    )
    assert done.returncode not in {0, 1, 2}, done.stdout + done.stderr
    assert home.gate() == "UNSAFE"
    keep("every disk read-only: verify --resume", {"points": 1, "held": 1})
