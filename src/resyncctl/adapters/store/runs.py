"""Which runs there were on this host, which of them live, and which never came to their end.

The answer comes from the journals alone, in the state directory and in the fallback folders, so
that it survives the loss of the store. A run is alive while its journal is locked; the kernel lets
go on kill -9. Promises: a request whose outcome was not recorded is never forgotten until a later
run has resolved it; a journal that cannot be read is reported and never taken for a finished run.
Called by `status`, by `cancel-all` before it starts, and when the store is rebuilt.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from resyncctl.adapters.store.append_file import is_locked
from resyncctl.adapters.store.chain import (
    ChainBreak,
    FileReading,
    check_links,
    last_record,
    order_pieces,
    read_file,
)
from resyncctl.adapters.store.journal import reopen_journal
from resyncctl.adapters.store.places import fallback_roots, is_private, runs_directory
from resyncctl.adapters.store.records import (
    BEGAN,
    ENDED,
    INTENT,
    OUTCOME,
    RESOLVED,
    Head,
    Record,
    Redactor,
)
from resyncctl.adapters.store.run_ids import is_run_id
from resyncctl.core.errors import UsageError
from resyncctl.core.mutation import OutcomeKind
from resyncctl.ports.views import Clock

MUTATING = frozenset({"cancel-all"})
"""Commands whose unfinished work is never taken over by a later run without a word."""

_LATER_MAX = 50
_UNKNOWN = OutcomeKind.UNKNOWN.value


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIntent:
    """A mutating request that may have been sent, and whose outcome is not known.

    Either no outcome was recorded, or the recorded one is UNKNOWN and the run died before its end.
    """

    intent_id: str
    action: str
    account: str | None
    at_ms: int
    deadline_ms: int
    fencing_token: int
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run, as its journal tells it.

    `unresolved` are its accounts that no later run has taken care of. `mutated` says whether any
    mutating request was intended. `problems` are places where the journal does not hold.
    """

    run_id: str
    command: str
    accounts: tuple[str, ...]
    unresolved: tuple[str, ...]
    user: str
    pid: int | None
    started_at_ms: int | None
    last_at_ms: int | None
    ended_at_ms: int | None
    exit_code: int | None
    alive: bool
    mutated: bool
    open_intents: tuple[OpenIntent, ...]
    problems: tuple[ChainBreak, ...]
    files: tuple[Path, ...]
    head: Head
    highest_token: int

    @property
    def crashed(self) -> bool:
        """Whether the run stopped without coming to its end."""
        return not self.alive and self.ended_at_ms is None

    @property
    def unfinished(self) -> bool:
        """Whether a person, or a later run, still has to look after it.

        A run that sent nothing is finished by any later one: see `unfinished_runs`.
        """
        if self.alive or (self.accounts and not self.unresolved):
            return False
        if not self.head.sequence and all(item.kind == "torn" for item in self.problems):
            return False  # it died before its first record, and nothing is sent before that
        return self.crashed or bool(self.open_intents)

    def why(self) -> str:
        """Return in words why the run is unfinished."""
        words = []
        if self.crashed:
            words.append("it stopped without coming to its end")
        if self.open_intents:
            words.append(f"{len(self.open_intents)} requests have no known outcome")
        return "; ".join(words) or "it is finished"


@dataclass(frozen=True, slots=True)
class RunFolders:
    """A run's name and its folders: usually one, more when its journal went on elsewhere."""

    run_id: str
    folders: tuple[Path, ...]

    def read(self) -> tuple[FileReading, ...]:
        """Read every journal file of the run, in the order in which they were written."""
        files = [path for folder in self.folders for path in sorted(folder.glob("journal*.jsonl"))]
        return order_pieces([read_file(path, self.run_id) for path in files])


def all_roots(state_dir: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return every folder in which journals of this host may be, without planted ones."""
    fallbacks = fallback_roots(state_dir, environ)
    return (
        state_dir,
        *(root for root in fallbacks if is_private(root.parent) and is_private(root)),
    )


def find_runs(roots: Iterable[Path]) -> tuple[RunFolders, ...]:
    """Return every run under the roots, the newest first."""
    found: dict[str, list[Path]] = {}
    for root in roots:
        try:
            entries = [entry for entry in os.scandir(runs_directory(root)) if is_run_id(entry.name)]
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found.setdefault(entry.name, []).append(Path(entry.path))
    return tuple(RunFolders(name, tuple(found[name])) for name in sorted(found, reverse=True))


def list_runs(roots: Sequence[Path], limit: int | None = None) -> tuple[RunSummary, ...]:
    """Return the runs under the roots, the newest first."""
    return tuple(summarise(run) for run in find_runs(roots)[:limit])


def unfinished_runs(roots: Sequence[Path], account: str | None = None) -> tuple[RunSummary, ...]:
    """Return the runs that somebody still has to look after, the newest first.

    With `account`, only those that concern it. A run that says of itself that it is finished is
    not read in full, so that years of cron runs cost little. A run that sent nothing and died (a
    `reconcile` at a reboot) needs nobody once a later run of its command has come to its end.
    """
    found = find_runs(roots)
    unfinished = []
    for position, folders in enumerate(found):
        if _says_finished(folders):
            continue
        run = summarise(folders)
        if not run.unfinished or not (account is None or account in run.unresolved):
            continue
        if not _is_superseded(run, found[:position]):
            unfinished.append(run)
    return tuple(unfinished)


def _is_superseded(run: RunSummary, later: Sequence[RunFolders]) -> bool:
    """Whether later runs of the same command came to their end for each of the run's accounts."""
    if run.mutated or run.problems or run.command in MUTATING or not run.unresolved:
        return False
    waiting = set(run.unresolved)
    same = (folders for folders in later if f"-{run.command}-" in folders.run_id)
    for folders in islice(same, _LATER_MAX):
        if not _says_finished(folders):
            continue
        records = folders.read()[0].records
        if records and records[0].details.get("command") == run.command:
            waiting -= set(_texts(records[0].details.get("accounts")))
        if not waiting:
            return True
    return False


def open_intents(roots: Sequence[Path], account: str) -> tuple[OpenIntent, ...]:
    """Return every request for the account that may have been sent by a run that has died.

    A new run that mutates the account has to wait out their deadlines before it proves anything.
    """
    return tuple(
        intent
        for run in unfinished_runs(roots, account)
        for intent in run.open_intents
        if intent.account in {account, None}
    )


def summarise(run: RunFolders) -> RunSummary:
    """Read one run's journal and say what became of it."""
    pieces = run.read()
    records = [record for piece in pieces for record in piece.records]
    began = _first(records, BEGAN)
    ended = _last(records, ENDED)
    details = began.details if began else {}
    accounts = _texts(details.get("accounts"))
    resolved = {str(record.details.get("account")) for record in records if _is(record, RESOLVED)}
    pid = details.get("pid")
    exit_code = ended.details.get("exit_code") if ended else None
    intents = _intents(records, ended=ended is not None)
    return RunSummary(
        run_id=run.run_id,
        command=str(details.get("command", "unknown")),
        accounts=accounts,
        unresolved=tuple(account for account in accounts if account not in resolved),
        user=str(details.get("user", "unknown")),
        pid=pid if isinstance(pid, int) else None,
        started_at_ms=records[0].at_ms if records else None,
        last_at_ms=records[-1].at_ms if records else None,
        ended_at_ms=ended.at_ms if ended else None,
        exit_code=exit_code if isinstance(exit_code, int) else None,
        alive=any(is_locked(piece.path) for piece in pieces),
        mutated=any(_is(record, INTENT) for record in records),
        open_intents=tuple(
            intent for intent in intents if intent.account is None or intent.account not in resolved
        ),
        problems=(*(problem for piece in pieces for problem in piece.breaks), *check_links(pieces)),
        files=tuple(piece.path for piece in pieces),
        head=max((piece.head for piece in pieces), key=lambda head: head.sequence, default=Head()),
        highest_token=max((_number(r.details.get("fencing_token")) for r in records), default=0),
    )


def resolve_run(
    run: RunSummary, accounts: Iterable[str], *, by_run: str, clock: Clock, redact: Redactor
) -> None:
    """Record in an unfinished run's own journal that `by_run` took care of these accounts.

    Raises:
        LockedError: The run is alive.
        RecordUnwritableError: It cannot be recorded; the run stays unfinished.
        UsageError: The run has no journal.
    """
    if not run.files:
        raise UsageError(f"run {run.run_id} has no journal")
    journal = reopen_journal(run.files[-1], run.run_id, clock=clock, redact=redact)
    try:
        remaining = list(run.unresolved)
        for account in accounts:
            if account in remaining:
                remaining.remove(account)
                journal.record(
                    RESOLVED, {"account": account, "by_run": by_run, "remaining": remaining}
                )
    finally:
        journal.close()


def resolve_account(
    roots: Sequence[Path], account: str, *, by_run: str, clock: Clock, redact: Redactor
) -> tuple[str, ...]:
    """Resolve the account in every unfinished run but `by_run` itself; return those runs.

    To be called only when the account was proved to be in order: a `cancel-all` of everything that
    ended with its proof, or, for runs that sent nothing, any later run that came to its end.

    Raises:
        RecordUnwritableError: A journal could not be written; that run stays unfinished.
    """
    done = []
    for run in unfinished_runs(roots, account):
        if run.run_id != by_run:
            resolve_run(run, [account], by_run=by_run, clock=clock, redact=redact)
            done.append(run.run_id)
    return tuple(done)


def _says_finished(run: RunFolders) -> bool:
    """Whether the last record of the run's only file says that nothing is left to do."""
    if len(run.folders) != 1:
        return False
    files = list(run.folders[0].glob("journal*.jsonl"))
    if len(files) != 1:
        return False
    record = last_record(files[0])
    if record is None:
        return False
    if _is(record, ENDED):
        return record.details.get("open_intents") == 0
    return _is(record, RESOLVED) and record.details.get("remaining") == []


def _intents(records: Iterable[Record], *, ended: bool) -> tuple[OpenIntent, ...]:
    waiting: dict[str, OpenIntent] = {}
    for record in records:
        intent_id = str(record.details.get("intent_id"))
        if _is(record, INTENT):
            waiting[intent_id] = _intent(intent_id, record)
        elif _is(record, OUTCOME) and (ended or record.details.get("kind") != _UNKNOWN):
            waiting.pop(intent_id, None)
    return tuple(waiting.values())


def _intent(intent_id: str, record: Record) -> OpenIntent:
    inner = record.details.get("details")
    details = inner if isinstance(inner, dict) else {}
    account = details.get("account")
    return OpenIntent(
        intent_id=intent_id,
        action=str(record.details.get("action")),
        account=account if isinstance(account, str) else None,
        at_ms=record.at_ms,
        deadline_ms=_number(record.details.get("deadline_ms")),
        fencing_token=_number(record.details.get("fencing_token")),
        details=details,
    )


def _is(record: Record, event: str) -> bool:
    return record.event == event


def _first(records: Sequence[Record], event: str) -> Record | None:
    return next((record for record in records if record.event == event), None)


def _last(records: Sequence[Record], event: str) -> Record | None:
    return next((record for record in reversed(records) if record.event == event), None)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
