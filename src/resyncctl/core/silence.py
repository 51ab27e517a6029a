"""Is the engine silent? An engine that still sends makes every proof of absence worthless."""

from dataclasses import dataclass
from enum import StrEnum


class SilenceKind(StrEnum):
    """PROVED by what was observed, ATTESTED by a named person, or UNPROVED."""

    PROVED = "proved"
    ATTESTED = "attested"
    UNPROVED = "unproved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What is known about the engine's sending.

    `how` says in words what was observed, by whom it was attested, or why nothing can be said.
    `since_ms` is the wall-clock time after which the engine is known to have sent nothing; requests
    that it sent before then can still land for as long as the exchange honours them.
    """

    kind: SilenceKind
    how: str
    since_ms: int | None = None

    @property
    def proved(self) -> bool:
        """Whether a proof of absence may stand on it."""
        return self.kind is not SilenceKind.UNPROVED and self.since_ms is not None
