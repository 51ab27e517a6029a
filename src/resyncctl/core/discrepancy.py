"""A difference between what the engine believes and what the exchange reports."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from resyncctl.core.money import plain


class Kind(StrEnum):
    """The closed list of discrepancies. `docs/discrepancies.md` explains each one."""

    ORPHAN_ORDER = "ORPHAN_ORDER"
    CLAIMED_ORDER = "CLAIMED_ORDER"
    MISSING_ORDER = "MISSING_ORDER"
    STATUS_MISMATCH = "STATUS_MISMATCH"
    ORDER_AMENDED = "ORDER_AMENDED"
    FILL_QUANTITY_MISMATCH = "FILL_QUANTITY_MISMATCH"
    DUPLICATE_CLIENT_ID = "DUPLICATE_CLIENT_ID"
    STALE_ORDER = "STALE_ORDER"
    IN_FLIGHT_UNRESOLVED = "IN_FLIGHT_UNRESOLVED"
    UNMAPPED_INSTRUMENT = "UNMAPPED_INSTRUMENT"
    UNKNOWN_ORDER_STORM = "UNKNOWN_ORDER_STORM"
    MISSING_FILL = "MISSING_FILL"
    PHANTOM_FILL = "PHANTOM_FILL"
    FILL_CONFLICT = "FILL_CONFLICT"
    DUPLICATE_FILL = "DUPLICATE_FILL"
    ORPHAN_FILL = "ORPHAN_FILL"
    OVERFILL = "OVERFILL"
    POSITION_MISMATCH = "POSITION_MISMATCH"
    UNTRACKED_POSITION = "UNTRACKED_POSITION"
    PHANTOM_POSITION = "PHANTOM_POSITION"
    LEG_MISMATCH = "LEG_MISMATCH"
    SIDE_FLIP = "SIDE_FLIP"
    ENTRY_PRICE_DRIFT = "ENTRY_PRICE_DRIFT"
    BALANCE_MISMATCH = "BALANCE_MISMATCH"
    LOCKED_MISMATCH = "LOCKED_MISMATCH"
    SECTION_UNREADABLE = "SECTION_UNREADABLE"
    WINDOW_NOT_COVERED = "WINDOW_NOT_COVERED"
    SCOPE_NOT_COVERED = "SCOPE_NOT_COVERED"
    CHECKPOINT_STALE = "CHECKPOINT_STALE"
    CHECKPOINT_CORRUPT = "CHECKPOINT_CORRUPT"
    CHECKPOINT_FOREIGN = "CHECKPOINT_FOREIGN"
    CLOCK_SKEW = "CLOCK_SKEW"
    MOVING = "MOVING"
    SETTLING = "SETTLING"


class Severity(StrEnum):
    """How much a finding matters for a resume. MAJOR and CRITICAL block it."""

    INFO = "info"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


EVIDENCE_KINDS = frozenset(
    {
        Kind.SECTION_UNREADABLE,
        Kind.WINDOW_NOT_COVERED,
        Kind.SCOPE_NOT_COVERED,
        Kind.CHECKPOINT_STALE,
        Kind.CHECKPOINT_CORRUPT,
        Kind.CHECKPOINT_FOREIGN,
        Kind.CLOCK_SKEW,
        Kind.MOVING,
    }
)
"""Kinds that say "this could not be known". Any one of them makes the verdict unknown."""


class Verdict(StrEnum):
    """The answer of a comparison. `unknown` is never rounded to one of the others."""

    CLEAN = "clean"
    DISCREPANT = "discrepant"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a finding is about. Fields that do not apply are None."""

    account: str
    product: str | None = None
    symbol: str | None = None
    leg: str | None = None
    client_order_id: str | None = None
    venue_order_id: str | None = None
    trade_id: str | None = None
    asset: str | None = None

    def present(self) -> dict[str, str]:
        """Return the fields that apply."""
        pairs = ((name, getattr(self, name)) for name in self.__slots__)
        return {name: value for name, value in pairs if value is not None}


Value = Decimal | str | bool | int | None
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """One finding, derivable from the two snapshots and nothing else.

    `engine` and `venue` hold each side's values, None where that side lacks the subject.
    `delta` holds venue minus engine for numbers. `explained_by` names the fills and ledger entries
    that account for the difference, and `unexplained` is the rest that they do not account for.
    `evidence_for` says what the finding is really about when `kind` is one of evidence, and is
    free text. The id is a pure function of the content.
    """

    kind: Kind
    severity: Severity
    subject: Subject
    engine: Values | None = None
    venue: Values | None = None
    delta: Values | None = None
    explained_by: tuple[str, ...] = ()
    unexplained: Decimal | None = None
    remedy: str = ""
    detail: str = ""
    id: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Derive the id from kind, subject and both sides' values."""
        if not self.id:
            object.__setattr__(self, "id", _identify(self))

    @property
    def blocks_resume(self) -> bool:
        """Whether trading must not resume while this stands."""
        return self.severity in {Severity.MAJOR, Severity.CRITICAL}


def _identify(finding: Discrepancy) -> str:
    content = {
        "kind": finding.kind.value,
        "subject": finding.subject.present(),
        "engine": _text(finding.engine),
        "venue": _text(finding.venue),
        "detail": finding.detail if finding.kind in EVIDENCE_KINDS else "",
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _text(values: Values | None) -> dict[str, str] | None:
    if values is None:
        return None
    return {
        key: plain(value) if isinstance(value, Decimal) else str(value)
        for key, value in values.items()
        if value is not None
    }
