"""What became of a request that changes the exchange: acknowledged, rejected, or not known."""

from dataclasses import dataclass
from enum import StrEnum

from resyncctl.core.reduction import Reduction


class OutcomeKind(StrEnum):
    """UNKNOWN is the default: the request may or may not have taken effect."""

    ACKNOWLEDGED = "ACKNOWLEDGED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class MutationOutcome:
    """The classified outcome of one mutating request.

    `code` is the venue's own error code and `http_status` the status line, where there was an
    answer. `already_gone` marks the expected rejection "no such open order": it is not proof that
    the order was cancelled. `retry_after_ms` is the venue's own wish. `sent` is False only when it
    is certain that no byte of the request left (name resolution, connection refused).
    `venue_order_id` is the id of a new order, where the exchange acknowledged one.
    """

    kind: OutcomeKind
    message: str = ""
    code: str | None = None
    http_status: int | None = None
    already_gone: bool = False
    expected: bool = False
    retry_after_ms: int | None = None
    sent: bool = True
    venue_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """Proof that an intent was journaled and fsynced. One permit pays for one wire request.

    `intent_id` names the journal record, `deadline_ms` is the time after which the request can
    have no effect any more, `fencing_token` is the lease under which it was issued. `reduces`
    is the one order that the permit pays for; without it only cancels and countdowns are paid.
    """

    intent_id: str
    deadline_ms: int
    fencing_token: int
    reduces: Reduction | None = None
