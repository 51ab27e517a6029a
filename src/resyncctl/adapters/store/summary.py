"""What became of one run, as its own journal tells it.

Promises: a run whose journal does not say that it came to its end is dead or alive, never finished;
an account that was mutated is left over until this run proved it in order, or a later run has
resolved it; a request without a known outcome belongs to whoever comes next. Called by the run
list, the audit, and when the store is rebuilt.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resyncctl.adapters.store.append_file import is_locked
from resyncctl.adapters.store.chain import (
    ChainBreak,
    FileReading,
    check_links,
    order_pieces,
    read_file,
)
from resyncctl.adapters.store.records import (
    BEGAN,
    ENDED,
    INTENT,
    OUTCOME,
    RESOLVED,
    Head,
    Record,
)
from resyncctl.core.mutation import OutcomeKind

FLATTEN_ENDED = "flatten_ended"
PROVING: Mapping[str, str] = {"cancel_all_ended": "proved_empty", FLATTEN_ENDED: "flat"}
"""The records in which a run says of one account what it proved, and the word that proves it."""
_UNKNOWN = OutcomeKind.UNKNOWN.value


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIntent:
    """A mutating request that may have been sent, and whose outcome is not known.

    Either no outcome was recorded, or the recorded one is UNKNOWN.
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

    `unresolved` are its accounts that somebody still has to look after. `mutated` says whether any
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
        return self.crashed or bool(self.unresolved) or bool(self.open_intents)

    def why(self) -> str:
        """Return in words why the run is unfinished."""
        words = []
        if self.crashed:
            words.append("it stopped without coming to its end")
        if self.open_intents:
            words.append(f"{len(self.open_intents)} requests have no known outcome")
        if not self.crashed and self.unresolved:
            words.append(f"it did not prove {', '.join(self.unresolved)} in order")
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


def summarise(run: RunFolders) -> RunSummary:
    """Read one run's journal and say what became of it."""
    pieces = run.read()
    records = [record for piece in pieces for record in piece.records]
    began = _first(records, BEGAN)
    ended = _last(records, ENDED)
    details = began.details if began else {}
    accounts = _texts(details.get("accounts"))
    command = str(details.get("command", "unknown"))
    settled = _settled(records, accounts, command)
    pid = details.get("pid")
    exit_code = ended.details.get("exit_code") if ended else None
    intents = _intents(records)
    touched = {str(intent.account) for intent in _all_intents(records)}
    left = [name for name in accounts if name not in settled]
    return RunSummary(
        run_id=run.run_id,
        command=command,
        accounts=accounts,
        unresolved=tuple(name for name in left if ended is None or name in touched),
        user=str(details.get("user", "unknown")),
        pid=pid if isinstance(pid, int) else None,
        started_at_ms=records[0].at_ms if records else None,
        last_at_ms=records[-1].at_ms if records else None,
        ended_at_ms=ended.at_ms if ended else None,
        exit_code=exit_code if isinstance(exit_code, int) else None,
        alive=any(is_locked(piece.path) for piece in pieces),
        mutated=bool(touched),
        open_intents=tuple(
            intent for intent in intents if intent.account is None or intent.account not in settled
        ),
        problems=(*(problem for piece in pieces for problem in piece.breaks), *check_links(pieces)),
        files=tuple(piece.path for piece in pieces),
        head=max((piece.head for piece in pieces), key=lambda head: head.sequence, default=Head()),
        highest_token=max((_number(r.details.get("fencing_token")) for r in records), default=0),
    )


def _settled(records: Sequence[Record], accounts: tuple[str, ...], command: str) -> set[str]:
    """The accounts that this run proved in order, or that a later run has resolved.

    A request after a proof opens the account again. That the orders are gone is only the first half
    of a `flatten`: one that was killed before its first own order is not finished either.
    """
    proving = {FLATTEN_ENDED: PROVING[FLATTEN_ENDED]} if command == "flatten" else PROVING
    found: set[str] = set()
    for record in records:
        account = record.details.get("account")
        if _is(record, RESOLVED):
            found.add(str(account))
        elif _is(record, INTENT):
            found.discard(str(_intent("", record).account))
        elif record.event in proving and record.details.get("status") == proving[record.event]:
            found |= {str(account)} if account is not None else set(accounts[:1])
    return found


def _all_intents(records: Iterable[Record]) -> Iterable[OpenIntent]:
    return (
        _intent(str(record.details.get("intent_id")), record)
        for record in records
        if _is(record, INTENT)
    )


def _intents(records: Sequence[Record]) -> tuple[OpenIntent, ...]:
    """The requests whose outcome is not known."""
    known = {
        record.details.get("intent_id")
        for record in records
        if _is(record, OUTCOME) and record.details.get("kind") != _UNKNOWN
    }
    return tuple(intent for intent in _all_intents(records) if intent.intent_id not in known)


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
