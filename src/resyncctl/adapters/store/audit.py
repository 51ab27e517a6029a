"""Walk every journal of this host and say where and how the record does not hold.

A chain shows what was altered, removed or reordered inside it; the link from each run to the run
before it shows runs, and ends of runs, that were removed. Somebody who owns the files can still
rewrite everything consistently: only a head that was posted elsewhere (`heads`, printed by
`audit verify`) and handed in again as an anchor shows that. Promises: never raises for bad content,
changes nothing, and what could not be read is a break and never passed over. Called by
`audit verify`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resyncctl.adapters.store.append_file import is_locked
from resyncctl.adapters.store.chain import ChainBreak, FileReading, check_links
from resyncctl.adapters.store.places import JOURNAL_NAME, runs_directory
from resyncctl.adapters.store.records import BEGAN, ENDED, RESOLVED, Record
from resyncctl.adapters.store.run_ids import is_run_id
from resyncctl.adapters.store.runs import find_runs
from resyncctl.adapters.store.summary import RunFolders
from resyncctl.core.errors import UsageError
from resyncctl.ports.store import RunRow

_ANCHOR_PARTS = 3
_SHA256_HEX = 64


@dataclass(frozen=True, slots=True, order=True)
class Anchor:
    """One record that must exist: a run, a sequence number, and the record's hash."""

    run_id: str
    sequence: int
    sha256: str

    def __str__(self) -> str:
        """Return the text that is posted elsewhere and handed in again."""
        return f"{self.run_id}:{self.sequence}:{self.sha256}"


def parse_anchor(text: str) -> Anchor:
    """Given the text of an anchor, return it.

    Raises:
        UsageError: It is not one.
    """
    parts = text.strip().split(":")
    if (
        len(parts) == _ANCHOR_PARTS
        and is_run_id(parts[0])
        and parts[1].isdecimal()
        and len(parts[2]) == _SHA256_HEX
    ):
        return Anchor(parts[0], int(parts[1]), parts[2])
    raise UsageError(
        "an anchor is RUN:SEQUENCE:SHA256, as `resyncctl audit verify` prints it",
        hint="copy the whole line",
    )


def anchors_of(rows: Iterable[RunRow]) -> tuple[Anchor, ...]:
    """Return the heads that the store remembers, as a second witness of the journals."""
    return tuple(
        Anchor(row.run_id, row.head_sequence, row.head_sha256) for row in rows if row.head_sha256
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """One run's record: how many records it has, whether it came to its end, what does not hold."""

    run_id: str
    files: tuple[Path, ...]
    records: int
    ended: bool
    alive: bool
    head: Anchor | None
    breaks: tuple[ChainBreak, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """Every run's record. `heads` are worth posting elsewhere."""

    runs: tuple[ChainReport, ...]
    heads: tuple[Anchor, ...]
    missing: tuple[ChainBreak, ...]

    @property
    def breaks(self) -> tuple[ChainBreak, ...]:
        """Everything that does not hold."""
        return (*(item for run in self.runs for item in run.breaks), *self.missing)

    @property
    def ok(self) -> bool:
        """Whether every chain holds."""
        return not self.breaks

    @property
    def records(self) -> int:
        """How many records were verified."""
        return sum(run.records for run in self.runs)


@dataclass(frozen=True, slots=True)
class _Run:
    folders: RunFolders
    pieces: tuple[FileReading, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        return tuple(record for piece in self.pieces for record in piece.records)


def verify_chains(roots: Sequence[Path], anchors: Iterable[Anchor] = ()) -> AuditReport:
    """Read every journal under the roots and check it against itself, its successors and anchors.

    The first root is the state directory; the others are the fallback folders.
    """
    runs = [_Run(folders, folders.read()) for folders in find_runs(roots)]
    reports = tuple(_report(run) for run in runs)
    known = {run.folders.run_id: _hashes(run) for run in runs}
    claims = [
        *((anchor, "a head that was kept elsewhere") for anchor in sorted(set(anchors))),
        *((claim, f"run {run.folders.run_id}") for run in runs for claim in _previous(run)),
    ]
    missing = tuple(
        problem
        for anchor, witness in claims
        if (problem := _check(anchor, witness, known, roots[0])) is not None
    )
    linked = {(anchor.run_id, anchor.sequence) for run in runs for anchor in _previous(run)}
    heads = tuple(
        report.head
        for report in reports
        if report.head is not None and (report.head.run_id, report.head.sequence) not in linked
    )
    return AuditReport(runs=reports, heads=heads, missing=missing)


def heads(roots: Sequence[Path]) -> tuple[Anchor, ...]:
    """Return the heads that vouch for every record of this host, for posting elsewhere."""
    return verify_chains(roots).heads


def _report(run: _Run) -> ChainReport:
    records = run.records
    alive = any(is_locked(piece.path) for piece in run.pieces)
    closing = {ENDED, RESOLVED}
    ended = any(record.event in closing for record in records)
    found = [item for piece in run.pieces for item in piece.breaks]
    # A crash leaves a torn end. After a record that the run had ended there can be none.
    by_crash = [item for item in found if item.kind == "torn" and not ended]
    notes = [f"{item.path}: {item.detail}, left by a crash" for item in by_crash if not alive]
    if not records:
        notes.append("the journal has no record")
    breaks = [item for item in found if item not in by_crash]
    last = records[-1] if records else None
    return ChainReport(
        run_id=run.folders.run_id,
        files=tuple(piece.path for piece in run.pieces),
        records=len(records),
        ended=ended,
        alive=alive,
        head=Anchor(run.folders.run_id, last.sequence, last.sha256) if last else None,
        breaks=(*breaks, *check_links(run.pieces)),
        notes=tuple(notes),
    )


def _hashes(run: _Run) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for record in run.records:
        if record.intact:
            found.setdefault(record.sequence, set()).add(record.sha256)
    return found


def _previous(run: _Run) -> tuple[Anchor, ...]:
    """What a run says about the run before it."""
    anchors = []
    for record in run.records:
        claim = record.details.get("previous") if record.event == BEGAN else None
        if not isinstance(claim, Mapping):
            continue
        name, sequence, digest = claim.get("run_id"), claim.get("sequence"), claim.get("sha256")
        if isinstance(name, str) and isinstance(sequence, int) and isinstance(digest, str):
            anchors.append(Anchor(name, sequence, digest))
    return tuple(anchor for anchor in anchors if anchor.sequence > 0)


def _check(
    anchor: Anchor, witness: str, known: Mapping[str, Mapping[int, set[str]]], state_dir: Path
) -> ChainBreak | None:
    kind, detail = "", ""
    if anchor.run_id not in known:
        kind, detail = "removed", f"the whole run is missing, which {witness} names"
    elif anchor.sequence not in known[anchor.run_id]:
        kind, detail = "removed", f"record {anchor.sequence} is missing, which {witness} names"
    elif anchor.sha256 not in known[anchor.run_id][anchor.sequence]:
        kind, detail = "rewritten", f"record {anchor.sequence} is not the one that {witness} names"
    if not kind:
        return None
    return ChainBreak(
        kind=kind,
        path=runs_directory(state_dir) / anchor.run_id / JOURNAL_NAME,
        line=0,
        sequence=anchor.sequence,
        detail=detail,
    )
