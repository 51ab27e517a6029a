"""What can be wrong with a checkpoint or a gate file, one type for each kind of wrong.

Every error carries a message, the place (a path, and where in the document) and a hint that says
what to do next. A bot may catch `RecoveryError` to catch them all; the tool maps each one to a
finding of its own.
"""


class RecoveryError(Exception):
    """Something about a checkpoint or a gate file that a person must read."""

    kind = "recovery"

    def __init__(self, message: str, *, place: str | None = None, hint: str | None = None) -> None:
        super().__init__(message if place is None else f"{place}: {message}")
        self.message = message
        self.place = place
        self.hint = hint


class FormatError(RecoveryError):
    """Bytes or a value that do not follow the format."""

    kind = "format"


class CheckpointMissing(RecoveryError):  # noqa: N818  # the name is the message
    """There is no checkpoint at that place, and no older generation of it either."""

    kind = "missing"


class CheckpointCorrupt(RecoveryError):  # noqa: N818  # the name is the message
    """The file does not hold what its format and its own hash promise."""

    kind = "corrupt"


class CheckpointForeign(RecoveryError):  # noqa: N818  # the name is the message
    """The checkpoint belongs to another account or another exchange."""

    kind = "foreign"


class CheckpointRolledBack(RecoveryError):  # noqa: N818  # the name is the message
    """The checkpoint is older than one that was already seen: a restored backup."""

    kind = "rolled_back"


class CheckpointTooNew(RecoveryError):  # noqa: N818  # the name is the message
    """The checkpoint follows a newer major version of the format than this program knows."""

    kind = "newer_schema"


class CheckpointStale(RecoveryError):  # noqa: N818  # the name is the message
    """The checkpoint is valid, and its writer is past the time at which it promised the next."""

    kind = "stale"


class WriterBusy(RecoveryError):  # noqa: N818  # the name is the message
    """Another process is writing this checkpoint."""

    kind = "writer_busy"


class WriterLost(RecoveryError):  # noqa: N818  # the name is the message
    """This process does not own the checkpoint any more; nothing was written."""

    kind = "writer_lost"


class Unwritable(RecoveryError):  # noqa: N818  # the name is the message
    """The file is not known to be on disk."""

    kind = "unwritable"


class GateClosed(RecoveryError):  # noqa: N818  # the name is the message
    """The gate does not permit orders. The order must not be sent."""

    kind = "gate_closed"


class GateMoved(RecoveryError):  # noqa: N818  # the name is the message
    """The gate was moved by somebody else meanwhile; it was not opened."""

    kind = "gate_moved"
