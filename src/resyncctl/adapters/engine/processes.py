"""What this host's `/proc` says about processes: who lives, with which arguments, since when.

Promises: never raises for a process that comes or goes meanwhile; what cannot be seen is told as
`ProcessesHiddenError` and never as "no such process". A process that is stopped or waits for its
parent while a thread of it still lives counts as alive. Called by `silence_process`.

The fields are those of proc_pid_stat(5): the third is the state, the 22nd the start time in ticks
since boot, which no change of the wall clock can move.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_STATE, _START = 0, 19
"""Places behind the command name, which stands in parentheses and may hold anything."""
_DEAD = frozenset({"Z", "X", "x"})


class ProcessesHiddenError(Exception):
    """This user cannot see the processes of others (hidepid, or no /proc)."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process for good: the number is used again, number and start together are not."""

    pid: int
    start_ticks: int


def living(pid: int, proc: Path = PROC) -> ProcessId | None:
    """Return the process of that number, None when none lives.

    Raises:
        ProcessesHiddenError: Nobody could tell.
    """
    _demand_sight(proc)
    try:
        fields = _stat(proc / str(pid))
    except (FileNotFoundError, ProcessLookupError):
        return None
    except (OSError, ValueError, IndexError) as trouble:
        raise ProcessesHiddenError(f"process {pid} cannot be read: {trouble}") from trouble
    if fields[_STATE] in _DEAD and not _has_living_thread(proc / str(pid)):
        return None
    return ProcessId(pid, int(fields[_START]))


def matching(argv: tuple[str, ...], proc: Path = PROC) -> tuple[ProcessId, ...]:
    """Return every living process, but this one, whose arguments hold `argv` one after another.

    The first text also fits the last part of a path: `python3` fits `/usr/bin/python3`.

    Raises:
        ProcessesHiddenError: Nobody could tell.
    """
    _demand_sight(proc)
    found = []
    for pid in _numbers(proc):
        if pid == os.getpid() or not any(_holds(one, argv) for one in _arguments(proc / str(pid))):
            continue
        alive = living(pid, proc)
        if alive is not None:
            found.append(alive)
    return tuple(found)


def started_ms(process: ProcessId, proc: Path = PROC) -> int:
    """Return when the process started, by the wall clock as it is set now.

    Raises:
        ProcessesHiddenError: The time of the boot cannot be read.
    """
    try:
        lines = (proc / "stat").read_text(encoding="ascii").splitlines()
        boot_s = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    except (OSError, ValueError, IndexError, StopIteration) as trouble:
        raise ProcessesHiddenError("the time of the boot cannot be read") from trouble
    return boot_s * 1000 + process.start_ticks * 1000 // os.sysconf("SC_CLK_TCK")


def _demand_sight(proc: Path) -> None:
    # With hidepid a user sees only its own processes; the first process is never its own.
    if not (proc / "1" / "stat").exists():
        raise ProcessesHiddenError(f"{proc} does not show the processes of other users")


def _numbers(proc: Path) -> Iterator[int]:
    try:
        names = os.listdir(proc)
    except OSError as trouble:
        raise ProcessesHiddenError(f"{proc} cannot be listed: {trouble.strerror}") from trouble
    yield from (int(name) for name in names if name.isdecimal())


def _stat(folder: Path) -> list[str]:
    text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
    return text[text.rindex(")") + 1 :].split()


def _threads(folder: Path) -> list[Path]:
    try:
        return list((folder / "task").iterdir())
    except OSError:
        return []


def _has_living_thread(folder: Path) -> bool:
    for thread in _threads(folder):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if _stat(thread)[_STATE] not in _DEAD:
                return True
    return False


def _arguments(folder: Path) -> Iterator[tuple[str, ...]]:
    """Yield the arguments; those of the threads where the first one has ended before the others."""
    for place in (folder, *_threads(folder)):
        with contextlib.suppress(OSError):
            data = (place / "cmdline").read_bytes()
            if data:
                yield tuple(part.decode("utf-8", "replace") for part in data[:-1].split(b"\0"))
                return


def _holds(arguments: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    first = wanted[0]
    for start in range(len(arguments) - len(wanted) + 1):
        here = arguments[start : start + len(wanted)]
        if here[1:] == wanted[1:] and first in {here[0], here[0].rpartition("/")[2]}:
            return True
    return False
