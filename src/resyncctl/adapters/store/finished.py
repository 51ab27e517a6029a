"""Which of the oldest runs are known to be finished, so that they are not looked at again.

A finished run stays finished. `runs/finished.json` names the newest run up to which all are, with a
digest over all their names: a run that appears among them later (the clock was set back, a fallback
folder came back) changes the digest, and everything is looked at again. The file is only a short
cut: without it, or with a wrong one, the answer is the same and takes longer. Called by `runs`.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from resyncctl.adapters.store.places import FILE_MODE, hand_over, runs_directory
from resyncctl.adapters.store.summary import RunFolders

NAME = "finished.json"
_WORTH_WRITING = 50
"""Looking at fewer runs again costs less than a write."""


def finished_tail(state_dir: Path, found: Sequence[RunFolders]) -> int:
    """Given all runs, the newest first, return how many at the end are known to be finished."""
    try:
        content = json.loads((runs_directory(state_dir) / NAME).read_text())
        up_to, count, digest = content["up_to"], content["count"], content["names_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    if not (isinstance(up_to, str) and isinstance(count, int) and 0 < count <= len(found)):
        return 0
    tail = found[len(found) - count :]
    nothing_between = count == len(found) or found[len(found) - count - 1].run_id > up_to
    fits = tail[0].run_id == up_to and nothing_between and _digest(tail) == digest
    return count if fits else 0


def remember_finished(state_dir: Path, tail: Sequence[RunFolders], known: int) -> None:
    """Remember that all the runs of `tail` are finished; `known` of them were known before."""
    if len(tail) - known < _WORTH_WRITING:
        return
    path = runs_directory(state_dir) / NAME
    scratch = path.with_name(f".{NAME}.{os.getpid()}")
    content = {"up_to": tail[0].run_id, "count": len(tail), "names_sha256": _digest(tail)}
    with contextlib.suppress(OSError):
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(scratch, flags, FILE_MODE), "w") as stream:
                hand_over(stream.fileno(), path.parent)
                json.dump(content, stream)
            os.replace(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)


def _digest(runs: Sequence[RunFolders]) -> str:
    return hashlib.sha256("\n".join(run.run_id for run in runs).encode()).hexdigest()
