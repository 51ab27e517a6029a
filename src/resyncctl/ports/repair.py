"""Writing a repaired checkpoint: a file of our own, never an exchange or a bot's database."""

from typing import Protocol

from resyncctl.core.snapshot import EngineSnapshot


class CheckpointRepair(Protocol):
    """The ability to write a new generation of a checkpoint that this tool owns."""

    def write(self, snapshot: EngineSnapshot, now_ms: int) -> str:
        """Write the snapshot as the next generation, keep the old one, return the new digest.

        Raises:
            RefusedError: The engine still holds the checkpoint's lock.
            RecordUnwritableError: The new generation is not known to be on disk.
        """
        ...
