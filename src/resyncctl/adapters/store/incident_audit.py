"""Walk the records of every incident and say where and how one does not hold.

Promises: never raises for bad content, changes nothing; what could not be read is a problem and
never passed over. Called by `audit verify`, next to the journals.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from resyncctl.adapters.store.audit import Anchor
from resyncctl.adapters.store.incident_files import IncidentFile, broken_links, read_all


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChain:
    """One incident's record: how many events, its newest one, and what does not hold."""

    incident_id: str
    records: int
    head: str | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IncidentAudit:
    """Every incident's record, and what others name and is not as it was.

    `heads` are the newest records, worth posting elsewhere.
    """

    chains: tuple[IncidentChain, ...]
    problems: tuple[str, ...]
    heads: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every record holds."""
        return not self.problems and not any(one.problems for one in self.chains)


def verify_incidents(state_dir: Path, anchors: Iterable[Anchor] = ()) -> IncidentAudit:
    """Read every incident of this host; check it against itself, its successor and the anchors."""
    try:
        files = list(read_all(state_dir))
    except OSError as trouble:
        return IncidentAudit((), (f"unreadable: the incidents cannot be listed: {trouble}",))
    folders = dict.fromkeys(one.reading.path.parent for one in files)
    by_account = [[one for one in files if one.reading.path.parent == path] for path in folders]
    missing = [words for group in by_account for words in broken_links(group)]
    missing += [words for anchor in anchors if (words := _unanswered(anchor, files))]
    chains = tuple(_chain(one) for one in files)
    newest = {group[0].incident_id for group in by_account}
    heads = tuple(one.head for one in chains if one.head and one.incident_id in newest)
    return IncidentAudit(chains, tuple(missing), heads)


def _unanswered(anchor: Anchor, files: list[IncidentFile]) -> str | None:
    """Say what is wrong with a head that was kept elsewhere, None when it is still there."""
    for one in files:
        if one.incident_id != anchor.run_id:
            continue
        found = {record.sequence: record.sha256 for record in one.reading.records}
        if found.get(anchor.sequence) == anchor.sha256:
            return None
        what = "rewritten" if anchor.sequence in found else "removed"
        return (
            f"{what}: record {anchor.sequence} of incident {anchor.run_id} is not the one that was"
            " kept elsewhere"
        )
    return f"removed: the incident {anchor.run_id} is missing, which a head that was kept names"


def _chain(one: IncidentFile) -> IncidentChain:
    head = one.reading.head
    # A crash leaves a torn end; after the event that ended the incident there was a note at most.
    torn = [f"{item.detail}, left by a crash" for item in one.reading.breaks if item.kind == "torn"]
    if not one.reading.records:
        torn.append("the record has no event")
    return IncidentChain(
        incident_id=one.incident_id,
        records=len(one.reading.records),
        head=f"{one.incident_id}:{head.sequence}:{head.sha256}" if head.sequence else None,
        problems=tuple(f"{item.kind}: {item.detail}" for item in one.damage),
        notes=tuple(torn),
    )
