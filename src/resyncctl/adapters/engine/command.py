"""What a trading engine believes, asked of a command that prints a checkpoint.

For engines that keep their state in a database of their own: a small exporter prints checkpoint v1
on its standard output. No shell is involved, the environment is reduced to what a program needs to
start, the output is bounded, and the whole process group is stopped when the time is up. What the
command prints is read as strictly as a file, and it is never repaired.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO

from resyncctl.adapters.engine.checkpoint import SeenCheckpoints, last_seen, remember
from resyncctl.adapters.engine.snapshot import (
    GRACE_MS,
    Expected,
    refuse_other_worlds,
    snapshot_of,
    unreadable,
)
from resyncctl.core.snapshot import EngineSnapshot
from resyncctl.sdk.checkpoint import SIZE_LIMIT, Checkpoint, accept, parse_checkpoint
from resyncctl.sdk.errors import CheckpointCorrupt, RecoveryError

ADAPTER = "command"
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "XDG_CONFIG_HOME")
_SHOWN_OF_ERRORS = 400


class CommandEngine:
    """An engine whose state a command prints. See `CheckpointEngine` for the other arguments."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        exchange: str,
        account_ref: str | None = None,
        sandbox: bool | None = None,
        timeout_ms: int = 10_000,
        seen: SeenCheckpoints | None = None,
        grace_ms: int = GRACE_MS,
        allow_rollback: bool = False,
        size_limit: int = SIZE_LIMIT,
    ) -> None:
        self._argv = tuple(argv)
        self._exchange = exchange
        self._account_ref = account_ref
        self._sandbox = sandbox
        self._timeout_ms = timeout_ms
        self._seen = seen
        self._grace_ms = grace_ms
        self._allow_rollback = allow_rollback
        self._size_limit = size_limit

    def read(self, account: str, now_ms: int) -> EngineSnapshot:
        """Run the command once. Trouble is told in the snapshot, nothing is raised for it."""
        place = f"command {self._argv[0]}"
        try:
            found = self._ask(account, place)
        except RecoveryError as trouble:
            return unreadable(trouble, account=account, adapter=ADAPTER, place=place, now_ms=now_ms)
        remember(self._seen, account, found, now_ms)
        return snapshot_of(
            found, account=account, adapter=ADAPTER, now_ms=now_ms, grace_ms=self._grace_ms
        )

    def _ask(self, account: str, place: str) -> Checkpoint:
        expected = Expected(
            account_ref=self._account_ref or account,
            exchange=self._exchange,
            sandbox=self._sandbox,
        )
        data = _output_of(self._argv, self._timeout_ms, self._size_limit, place)
        found = accept(
            parse_checkpoint(data, place=place),
            account_ref=expected.account_ref,
            exchanges=expected.exchanges,
            last_seen=last_seen(self._seen, account),
            allow_rollback=self._allow_rollback,
        )
        refuse_other_worlds(found, expected)
        return found


def _output_of(argv: Sequence[str], timeout_ms: int, size_limit: int, place: str) -> bytes:
    """Run a command and return what it printed.

    Raises:
        CheckpointCorrupt: It could not be run, failed, took too long or printed too much.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as complained:
        try:
            process = subprocess.Popen(  # noqa: S603  # the operator's own configured command
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=complained,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as trouble:
            raise CheckpointCorrupt(
                f"it cannot be started: {trouble}",
                place=place,
                hint="correct the engine's state command in the configuration",
            ) from trouble
        try:
            code = process.wait(timeout_ms / 1000)
        except subprocess.TimeoutExpired:
            raise CheckpointCorrupt(
                f"it did not end within {timeout_ms / 1000:g} s",
                place=place,
                hint="raise the timeout of the state command, or find out why it hangs",
            ) from None
        finally:
            _stop(process)
        if code != 0:
            raise CheckpointCorrupt(
                f"it ended with code {code}: {_start_of(complained)}", place=place
            )
        printed.seek(0)
        data = printed.read(size_limit + 1)
    if len(data) > size_limit:
        raise CheckpointCorrupt(f"it printed more than {size_limit} bytes", place=place)
    return data


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop whatever is left of the command's process group; it must not outlive the question."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _start_of(complained: IO[bytes]) -> str:
    complained.seek(0)
    text = complained.read(_SHOWN_OF_ERRORS).decode("utf-8", "replace")
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
