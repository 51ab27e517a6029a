"""Open the journal of a new run: a strict one, or one that a cancel never has to wait for.

Every run's first record names the newest run before it and that run's last record, so that the
journals of a host form one chain: a run that disappears, or loses its end, is missed by the next
one. Called by wiring at the start of every command that leaves a record.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from resyncctl.adapters.store.append_file import Sync
from resyncctl.adapters.store.chain import last_record, read_file
from resyncctl.adapters.store.emergency import EmergencyJournal, Opener
from resyncctl.adapters.store.journal import Beginning, FileJournal, create_journal
from resyncctl.adapters.store.places import (
    JOURNAL_NAME,
    fallback_roots,
    private_fallback,
    runs_directory,
)
from resyncctl.adapters.store.records import BEGAN, Head, Redactor
from resyncctl.adapters.store.run_ids import Draw, is_run_id, new_run_id
from resyncctl.core.errors import RecordUnwritableError
from resyncctl.ports.views import Clock

LATEST = "latest"
_TRIES = 5

RunJournal = FileJournal | EmergencyJournal
"""Either journal: `record`, `intend`, `settle`, then `end` (or `close`), and `places`."""


def _tell_nobody(_: str) -> None:
    """Without a listener a change of place is told by the outcome alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOptions:
    """What every journal of this process shares.

    `break_glass` allows the fallbacks of `emergency`; only commands that reduce risk may set it.
    """

    state_dir: Path
    clock: Clock
    redact: Redactor
    break_glass: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    mirror: TextIO = field(default_factory=lambda: sys.stderr)
    warn: Callable[[str], None] = _tell_nobody
    draw: Draw | None = None
    sync: Sync = os.fsync
    fallbacks: tuple[Path, ...] | None = None


def open_journal(
    beginning: Beginning, options: JournalOptions, run_id: str | None = None
) -> RunJournal:
    """Open a journal for a new run and write its first record.

    Raises:
        RecordUnwritableError: It cannot be made durable, and the glass may not be broken.
    """
    if options.break_glass:
        return _open_emergency(beginning, options, run_id or _name(beginning, options))
    runs = runs_directory(options.state_dir)
    for _ in range(_TRIES):
        name = run_id or _name(beginning, options)
        try:
            journal = create_journal(
                runs / name,
                name,
                clock=options.clock,
                redact=options.redact,
                sync=options.sync,
            )
        except FileExistsError:
            if run_id is not None:
                break
            continue
        return _begin(journal, beginning, runs)
    raise RecordUnwritableError("a run of this name exists already", place=str(runs))


def _begin(journal: FileJournal, beginning: Beginning, runs: Path) -> FileJournal:
    try:
        journal.record(BEGAN, {**beginning.details(), "previous": previous_run(runs)})
    except RecordUnwritableError:
        journal.close()
        raise
    _point_to(runs, journal.run_id)
    return journal


def _open_emergency(beginning: Beginning, options: JournalOptions, run_id: str) -> EmergencyJournal:
    roots = options.fallbacks
    if roots is None:
        roots = fallback_roots(options.state_dir, options.environ)
    openers = [("state", _opener(options.state_dir, "state", run_id, options))]
    openers += [("fallback", _opener(root, "fallback", run_id, options)) for root in roots]
    journal = EmergencyJournal(
        run_id,
        openers,
        clock=options.clock,
        redact=options.redact,
        mirror=options.mirror,
        warn=options.warn,
    )
    runs = runs_directory(options.state_dir)
    journal.record(BEGAN, {**beginning.details(), "previous": previous_run(runs)})
    if journal.places and journal.places[0].kind == "state":
        _point_to(runs, run_id)
    return journal


def _opener(root: Path, kind: str, run_id: str, options: JournalOptions) -> Opener:
    def open_here(head: Head) -> FileJournal:
        if kind == "fallback":
            private_fallback(root)
        return create_journal(
            runs_directory(root) / run_id,
            run_id,
            clock=options.clock,
            redact=options.redact,
            head=head,
            kind=kind,
            sync=options.sync,
        )

    return open_here


def _name(beginning: Beginning, options: JournalOptions) -> str:
    now_ms = options.clock.now_ms()
    if options.draw is None:
        return new_run_id(beginning.command, now_ms)
    return new_run_id(beginning.command, now_ms, options.draw)


def previous_run(runs: Path) -> dict[str, object] | None:
    """Return the newest run before this one and its last good record, None when there is none."""
    name = _latest(runs)
    if name is None:
        return None
    path = runs / name / JOURNAL_NAME
    last = last_record(path)
    head = Head(last.sequence, last.sha256) if last else read_file(path, name).head
    return {"run_id": name, "sequence": head.sequence, "sha256": head.sha256}


def _latest(runs: Path) -> str | None:
    """Follow the pointer; without one look through all the names."""
    with contextlib.suppress(OSError):
        name = os.readlink(runs / LATEST)
        if is_run_id(name) and (runs / name / JOURNAL_NAME).exists():
            return name
    try:
        names = [entry.name for entry in os.scandir(runs) if is_run_id(entry.name)]
    except OSError:
        return None
    complete = (name for name in sorted(names, reverse=True) if _has_records(runs / name))
    return next(complete, None)


def _has_records(folder: Path) -> bool:
    try:
        return (folder / JOURNAL_NAME).stat().st_size > 0
    except OSError:
        return False


def _point_to(runs: Path, run_id: str) -> None:
    """Let `runs/latest` point to the run. It is a help for people and a short cut, no record."""
    scratch = runs / f".{LATEST}.{os.getpid()}"
    with contextlib.suppress(OSError):
        scratch.unlink(missing_ok=True)
        os.symlink(run_id, scratch)
        os.replace(scratch, runs / LATEST)
