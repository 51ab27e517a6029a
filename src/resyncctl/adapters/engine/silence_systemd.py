"""Whether the systemd unit of the engine is stopped.

Promises: never raises; no shell, a small environment, a time limit. Only a loaded unit that ran
since this host started, is inactive or failed now, and left no process in its control group proves
silence. The silence begins when the unit became inactive, by the kernel's monotonic clock, which no
change of the wall clock can move. Called by `cli.wiring_silence`.

The properties are those of org.freedesktop.systemd1(5): `InactiveEnterTimestampMonotonic` is in
microseconds of CLOCK_MONOTONIC, 0 for a unit that was never active.
"""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from resyncctl.adapters.engine.silence import RUNS, proved, unproved
from resyncctl.core.gate import GateReading
from resyncctl.core.silence import Silence

_PROPERTIES = ("LoadState", "ActiveState", "InactiveEnterTimestampMonotonic", "ControlGroup")
_PASSED_ON = ("PATH", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
_ENDED = frozenset({"inactive", "failed"})
_SIZE_LIMIT = 64 * 1024


def monotonic_us() -> int:
    """Return the clock in which systemd gives its monotonic time stamps."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


class UnitSilence:
    """Implements `ports.views.SilenceView` over `systemctl show UNIT`."""

    def __init__(
        self,
        unit: str,
        *,
        user: bool = False,
        timeout_ms: int = 5_000,
        program: str = "systemctl",
        control_groups: Path = Path("/sys/fs/cgroup"),
        now_us: Callable[[], int] = monotonic_us,
    ) -> None:
        self._unit = unit
        scope = ("--user",) if user else ()
        wanted = f"--property={','.join(_PROPERTIES)}"
        self._argv = (program, *scope, "show", "--no-pager", wanted, "--", unit)
        self._timeout_s = timeout_ms / 1000
        self._control_groups = control_groups
        self._now_us = now_us

    def observe(self, account: str, gate: GateReading, now_ms: int) -> Silence:
        """Ask systemd once. Never raises."""
        del account, gate
        asked_us = self._now_us()
        found = self._ask()
        if isinstance(found, str):
            return unproved(f"systemd could not be asked about {self._unit}: {found}")
        active = found.get("ActiveState", "")
        if found.get("LoadState") != "loaded":
            return unproved(f"systemd knows no unit {self._unit} on this host")
        if active not in _ENDED:
            return unproved(f"{RUNS}: unit {self._unit} is {active or 'not known'}")
        left = self._left_behind(found.get("ControlGroup", ""))
        if left is not None:
            return unproved(f"unit {self._unit} is {active}, but {left}")
        stamp = found.get("InactiveEnterTimestampMonotonic", "")
        ago_us = asked_us - int(stamp) if stamp.isdecimal() and int(stamp) > 0 else -1
        if ago_us < 0:
            return unproved(
                f"unit {self._unit} has not run since this host started; if the engine runs by"
                " other means, name those"
            )
        return proved(f"unit {self._unit} is {active}", now_ms - ago_us // 1000)

    def _ask(self) -> Mapping[str, str] | str:
        """Return the properties, or why there are none."""
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            done = subprocess.run(  # noqa: S603  # a fixed command; the unit is one argument
                self._argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={**environment, "LC_ALL": "C"},
                timeout=self._timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {self._timeout_s:g} s"
        except (OSError, ValueError) as trouble:
            return str(trouble)
        if done.returncode != 0:
            return _plain(done.stderr) or f"it ended with code {done.returncode}"
        lines = done.stdout[:_SIZE_LIMIT].decode("utf-8", "replace").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def _left_behind(self, control_group: str) -> str | None:
        """Say what still lives in the unit's control group (KillMode=process leaves children)."""
        if not control_group or control_group == "/":
            return None
        folder = self._control_groups / control_group.lstrip("/")
        try:
            found = [path for path in sorted(folder.rglob("cgroup.procs")) if path.read_text()]
        except FileNotFoundError:
            return None
        except OSError as trouble:
            return f"its control group cannot be read: {trouble.strerror}"
        return "processes are left in its control group" if found else None


def _plain(data: bytes) -> str:
    text = data[:400].decode("utf-8", "replace")
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
