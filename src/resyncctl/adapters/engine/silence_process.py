"""Whether the engine's process is gone.

Two ways to name it: the pid file that it wrote, or the arguments that it runs with. Promises: never
raises; a process that lives, or cannot be seen, is UNPROVED. Numbers of processes are used again,
so a number alone is never taken for the engine: the start time tells them apart. Arguments that
never matched anything prove nothing, for they may be misspelt; that they did match once is kept in
a small file (`seen_file`). The silence begins when this run first saw that the process was gone;
nothing that this run did not see is claimed. Called by `cli.wiring_silence`.
"""

import hashlib
import os
from pathlib import Path

from resyncctl.adapters.engine.processes import (
    PROC,
    ProcessesHiddenError,
    ProcessId,
    living,
    matching,
    started_ms,
)
from resyncctl.adapters.engine.silence import RUNS, proved, unproved
from resyncctl.core.gate import GateReading
from resyncctl.core.silence import Silence
from resyncctl.sdk.canonical import JsonObject, canonical, read_sealed, sealed_bytes
from resyncctl.sdk.durable import read_bounded, replace_durably
from resyncctl.sdk.errors import FormatError, Unwritable

_PID_FILE_LIMIT = 4 * 1024
_CLOCK_SLACK_MS = 2_000
_SEEN_SCHEMA = "resync.engine-seen/1"


class PidFileSilence:
    """Implements `ports.views.SilenceView` over the pid file of an engine."""

    def __init__(self, pid_file: Path, *, proc: Path = PROC) -> None:
        self._pid_file = pid_file
        self._proc = proc
        self._seen: ProcessId | None = None
        self._gone_since_ms: int | None = None

    def observe(self, account: str, gate: GateReading, now_ms: int) -> Silence:
        """Look once at the process that the file names. Never raises."""
        del account, gate
        try:
            answer = self._look(now_ms)
        except (OSError, ValueError, FormatError) as trouble:
            answer = unproved(f"the pid file {self._pid_file} cannot be used: {_words(trouble)}")
        except ProcessesHiddenError as trouble:
            answer = unproved(str(trouble))
        if not answer.proved:
            self._gone_since_ms = None
        return answer

    def _look(self, now_ms: int) -> Silence:
        try:
            found = read_bounded(self._pid_file, _PID_FILE_LIMIT)
        except FileNotFoundError:
            # Engines remove the file when they end, and a file that was never written looks alike.
            if self._seen is None or living(self._seen.pid, self._proc) == self._seen:
                return unproved(
                    f"there is no pid file {self._pid_file}, so nothing names a process"
                )
            return self._gone(now_ms, f"process {self._seen.pid} of the engine has ended")
        if found.mode & 0o002:
            raise FormatError("it is writable by everybody")
        pid = int(found.data.split()[0]) if found.data.split() else 0
        if pid <= 0:
            raise FormatError("it does not hold the number of a process")
        alive = living(pid, self._proc)
        if alive is None:
            return self._gone(now_ms, f"process {pid} of {self._pid_file} does not run")
        written_ms = found.stamp[3] // 1_000_000
        if self._seen != alive and started_ms(alive, self._proc) > written_ms + _CLOCK_SLACK_MS:
            # Only a wall clock says so, and wall clocks are set: it is no proof.
            return unproved(
                f"process {pid} started after {self._pid_file} was written; it may be another"
                " program that got the number of an engine that ended"
            )
        self._seen = alive
        return unproved(f"{RUNS}: process {pid}")

    def _gone(self, now_ms: int, how: str) -> Silence:
        if self._gone_since_ms is None:
            self._gone_since_ms = now_ms
        return proved(how, self._gone_since_ms)


class MatchedSilence:
    """Implements `ports.views.SilenceView` over every process that runs with certain arguments."""

    def __init__(self, argv: tuple[str, ...], *, seen_file: Path, proc: Path = PROC) -> None:
        self._argv = argv
        self._seen_file = seen_file
        self._proc = proc
        self._seen = False
        self._gone_since_ms: int | None = None

    def observe(self, account: str, gate: GateReading, now_ms: int) -> Silence:
        """Look once through the processes of this host. Never raises."""
        del account, gate
        words = " ".join(self._argv)
        try:
            found = matching(self._argv, self._proc)
        except ProcessesHiddenError as trouble:
            self._gone_since_ms = None
            return unproved(str(trouble))
        if found:
            self._gone_since_ms = None
            self._remember(now_ms)
            numbers = ", ".join(str(one.pid) for one in found[:5])
            return unproved(f"{RUNS}: process {numbers} ({words})")
        if not self._was_seen():
            return unproved(
                f"no process runs with `{words}`, and none was ever seen: run `resyncctl doctor`"
                " once while the engine runs, so that a misspelt match is not taken for silence"
            )
        if self._gone_since_ms is None:
            self._gone_since_ms = now_ms
        return proved(f"no process runs with `{words}` on this host", self._gone_since_ms)

    def _remember(self, now_ms: int) -> None:
        """Note that the arguments are the right ones. A disk that refuses costs only the proof."""
        if self._was_seen():
            return
        self._seen = True
        document: JsonObject = {
            "schema": _SEEN_SCHEMA,
            "argv_sha256": self._digest(),
            "seen_ms": now_ms,
        }
        try:
            self._seen_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_durably(self._seen_file, sealed_bytes(document)[0])
        except (OSError, Unwritable, FormatError):
            return

    def _was_seen(self) -> bool:
        if not self._seen:
            try:
                found = read_bounded(self._seen_file, _PID_FILE_LIMIT)
                document, _ = read_sealed(found.data)
            except (OSError, ValueError, FormatError):
                return False
            self._seen = (
                not found.mode & 0o022
                and document.get("schema") == _SEEN_SCHEMA
                and document.get("argv_sha256") == self._digest()
            )
        return self._seen

    def _digest(self) -> str:
        """The arguments are kept as a digest only: they may hold what is nobody's business."""
        content = {"argv": list(self._argv), "host": os.uname().nodename}
        return hashlib.sha256(canonical(content)).hexdigest()


def _words(trouble: Exception) -> str:
    return (trouble.strerror if isinstance(trouble, OSError) else None) or str(trouble)
