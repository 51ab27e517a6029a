"""Writing the next generation of a checkpoint that this tool owns, from a repaired snapshot.

`reconcile --repair` applies the events that bring the engine to the exchange's truth to the
engine's snapshot, and hands it here. Rows that did not change stay as the engine wrote them,
unknown keys of changed rows are kept, sections that the snapshot does not know are left alone. The
old generation is kept, the chain goes on, and nothing is written while the engine's writer lives or
when the checkpoint has moved since it was read. Called by the reconcile procedure.
"""

from pathlib import Path
from typing import cast

from resyncctl.adapters.engine import rows
from resyncctl.adapters.engine.checkpoint import SeenCheckpoints, last_seen
from resyncctl.adapters.engine.snapshot import belief_sha256
from resyncctl.adapters.engine.told import merged_sections
from resyncctl.core.errors import RecordUnwritableError, RefusedError, StalePlanError
from resyncctl.core.snapshot import EngineSnapshot, Known
from resyncctl.ports.store import CheckpointSeen
from resyncctl.sdk.canonical import JsonObject
from resyncctl.sdk.checkpoint import Checkpoint, load_file
from resyncctl.sdk.errors import FormatError, RecoveryError, WriterBusy
from resyncctl.sdk.state import IN_THE_AIR
from resyncctl.sdk.writer import CheckpointWriter


class CheckpointRepairer:
    """The power to write one engine's checkpoint while that engine is stopped."""

    def __init__(self, path: Path, *, seen: SeenCheckpoints | None = None) -> None:
        self._path = path
        self._seen = seen

    def write(self, snapshot: EngineSnapshot, now_ms: int) -> str:
        """Write the snapshot as the next generation, keep the old one, return the new digest.

        Raises:
            RefusedError: The engine is alive, or there is no checkpoint that could be repaired.
            StalePlanError: The checkpoint has moved since the snapshot was read.
            RecordUnwritableError: The new generation is not known to be on disk.
        """
        return write_repaired(self._path, snapshot, now_ms, seen=self._seen)


def write_repaired(
    path: Path, snapshot: EngineSnapshot, now_ms: int, *, seen: SeenCheckpoints | None = None
) -> str:
    """Write a repaired snapshot as the next generation of a checkpoint. See the class above."""
    before = last_seen(seen, snapshot.account)
    try:
        writer = CheckpointWriter(
            path,
            now_ms=lambda: now_ms,
            allow_rollback=True,
            continue_above=before.sequence if before else 0,
        )
    except WriterBusy as busy:
        raise RefusedError(
            f"the engine is alive: {busy.message}", place=busy.place, hint="stop the engine first"
        ) from busy
    except RecoveryError as trouble:
        raise RefusedError(
            f"the checkpoint cannot be repaired: {trouble.message}",
            place=trouble.place,
            hint=trouble.hint,
        ) from trouble
    with writer:
        found = _same_as_read(writer.found, snapshot, path)
        content = repaired_content(found, snapshot, now_ms)
        try:
            written = writer.write(content, next_write_ms=now_ms)
        except FormatError as trouble:
            raise RefusedError(
                f"the repaired state does not fit into a checkpoint: {trouble}", place=str(path)
            ) from trouble
        except RecoveryError as trouble:
            raise RecordUnwritableError(
                trouble.message, place=trouble.place, hint=trouble.hint
            ) from trouble
    if seen is not None:
        seen.remember_checkpoint(
            CheckpointSeen(
                account=snapshot.account,
                sequence=written.sequence,
                digest=written.sha256,
                at_ms=now_ms,
            )
        )
    return belief_sha256(load_file(path))


def repaired_content(found: Checkpoint, snapshot: EngineSnapshot, now_ms: int) -> JsonObject:
    """Given the checkpoint as it is and the repaired snapshot, return the next one's content.

    The next one says that the engine is stopped, unless the fate of an order is still not known.
    """
    frame = rows.frame_of(found.document, snapshot.account)
    content: JsonObject = dict(found.document)
    content.update(merged_sections(found, snapshot, frame, now_ms))
    orders = cast("list[JsonObject]", content.get("orders") or [])
    told = (snapshot.orders, snapshot.fills, snapshot.positions, snapshot.balances)
    content["complete"] = found.complete or all(isinstance(section, Known) for section in told)
    content["clean_shutdown"] = not any(row["state"] in IN_THE_AIR for row in orders)
    content["state_as_of_ms"] = max(found.state_as_of_ms, min(snapshot.as_of_ms, now_ms))
    content["repaired"] = {"by": "resyncctl", "at_ms": now_ms, "from_sequence": found.sequence}
    return content


def _same_as_read(found: Checkpoint | None, snapshot: EngineSnapshot, path: Path) -> Checkpoint:
    if found is None:
        raise RefusedError(
            "there is no checkpoint to repair",
            place=str(path),
            hint="start the engine against an empty checkpoint, with the gate closed",
        )
    if belief_sha256(found) != snapshot.source.digest:
        raise StalePlanError(
            f"the checkpoint has moved to sequence {found.sequence} since it was read at"
            f" {snapshot.sequence}",
            place=str(path),
            hint="stop the engine and reconcile again",
        )
    return found
