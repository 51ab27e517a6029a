"""The three kinds of wrong, so that each gets its own manner.

An operator's mistake gets a message with a place and a hint. Trouble in the world is typed and
surfaces as an answer of its own. A broken promise of ours crashes loudly and leaves the gate shut.
"""

from typing import Never

from resyncctl.core.exit_codes import ExitCode


class ResyncError(Exception):
    """Something that the operator must read: what happened, where, and what to do next."""

    exit_code: ExitCode = ExitCode.INTERNAL
    kind: str = "internal"

    def __init__(self, message: str, *, hint: str | None = None, place: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place


class ConfigurationError(ResyncError):
    """The configuration cannot be used as it stands."""

    exit_code = ExitCode.CONFIG
    kind = "configuration"


class UsageError(ResyncError):
    """The command was called with words that do not fit together."""

    exit_code = ExitCode.USAGE
    kind = "usage"


class CorruptDataError(ResyncError):
    """A checkpoint, snapshot or journal does not hold what its format promises."""

    exit_code = ExitCode.DATAERR
    kind = "corrupt_data"


class VenueUnavailableError(ResyncError):
    """The exchange could not be reached at all."""

    exit_code = ExitCode.UNAVAILABLE
    kind = "venue_unavailable"


class RecordUnwritableError(ResyncError):
    """The journal or another required record could not be written durably."""

    exit_code = ExitCode.IOERR
    kind = "record_unwritable"


class TryAgainLaterError(ResyncError):
    """The exchange asks for patience: rate limited, banned for a time, or too slow."""

    exit_code = ExitCode.TEMPFAIL
    kind = "try_again_later"


class CredentialsRefusedError(ResyncError):
    """The exchange refused the key, or the key lacks a permission."""

    exit_code = ExitCode.NOPERM
    kind = "credentials_refused"


class RefusedError(ResyncError):
    """An interlock or a cap forbids the act."""

    exit_code = ExitCode.REFUSED
    kind = "refused"


class StalePlanError(ResyncError):
    """The plan or the evidence is older than it may be, or the world has moved since."""

    exit_code = ExitCode.STALE
    kind = "stale"


class DeclinedError(ResyncError):
    """The operator said no."""

    exit_code = ExitCode.DECLINED
    kind = "declined"


class NoTerminalError(ResyncError):
    """A confirmation is needed and nobody can be asked."""

    exit_code = ExitCode.NOTTY
    kind = "no_terminal"


class LockedError(ResyncError):
    """Another run holds the account."""

    exit_code = ExitCode.LOCKED
    kind = "locked"


class DeadlineError(ResyncError):
    """The deadline passed before any mutating request was sent."""

    exit_code = ExitCode.DEADLINE
    kind = "deadline"


class InvariantBroken(Exception):  # noqa: N818  # reads as the sentence that it is
    """A promise of this program does not hold. The gate stays closed and the tool stops."""


def ensure(condition: bool, why: str) -> None:
    """Raise `InvariantBroken` unless `condition` holds. Unlike `assert` it survives `python -O`."""
    if not condition:
        raise InvariantBroken(why)


def unreachable(why: str) -> Never:
    """Raise `InvariantBroken` for a branch that cannot be reached."""
    raise InvariantBroken(why)
