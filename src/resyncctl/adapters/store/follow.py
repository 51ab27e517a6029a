"""Follow the journal of a run while it is written, from another process.

Promises: only whole records are returned, each once and in order; following takes no lock that the
writer could notice for longer than an instant, and changes nothing; a journal that went on in
another folder is followed there. Called by the command line's `watch`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from resyncctl.adapters.store.append_file import is_locked
from resyncctl.adapters.store.places import runs_directory
from resyncctl.adapters.store.records import Record, parse_line


@dataclass(slots=True)
class Follower:
    """What was read so far of one run's journal. `roots` are the folders in which it may be."""

    roots: Sequence[Path]
    run_id: str
    unreadable: int = 0
    _read: dict[Path, int] = field(default_factory=dict)

    def files(self) -> tuple[Path, ...]:
        """Return the journal's files that are there now."""
        folders = (runs_directory(root) / self.run_id for root in self.roots)
        return tuple(path for folder in folders for path in sorted(folder.glob("journal*.jsonl")))

    def is_alive(self) -> bool:
        """Whether the run's process still writes."""
        return any(is_locked(path) for path in self.files())

    def new_records(self) -> tuple[Record, ...]:
        """Return the records that were written since the last look, in their order."""
        found: list[Record] = []
        for path in self.files():
            found += self._new_of(path)
        return tuple(sorted(found, key=lambda record: record.sequence))

    def _new_of(self, path: Path) -> list[Record]:
        done = self._read.get(path, 0)
        try:
            with path.open("rb") as file:
                file.seek(done)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._read[path] = done + len(whole)
        records = [parse_line(line) for line in whole.split(b"\n") if line.strip(b"\0 ")]
        self.unreadable += sum(record is None for record in records)
        return [record for record in records if record is not None]
