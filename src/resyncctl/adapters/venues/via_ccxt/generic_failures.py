"""What a failure means: for a read the operator's words, for a mutation its outcome.

Promise: an outcome is UNKNOWN unless there is proof of something else. Proof of rejection is an
answer in JSON that a mapped venue code belongs to, or the certainty that no byte was sent. The
words never repeat a URL: signed URLs carry the signature and the key's parameters.

Sources: ccxt 4.5.90's class hierarchy, told by name so that this module needs no ccxt; the phase
and status come from the transport. Called by `generic` and `generic_reading`.
"""

from collections.abc import Mapping, Sequence

from resyncctl.adapters.venues.via_ccxt.envelopes import Malformed, describe, envelope_fault
from resyncctl.adapters.venues.via_ccxt.permits import EndpointKind
from resyncctl.adapters.venues.via_ccxt.redaction import redact
from resyncctl.adapters.venues.via_ccxt.transport import Attempt, Phase
from resyncctl.core.errors import (
    CredentialsRefusedError,
    ResyncError,
    TryAgainLaterError,
    VenueUnavailableError,
)
from resyncctl.core.mutation import MutationOutcome, OutcomeKind

_GONE = frozenset({"OrderNotFound"})
_GONE_IN_BODY = {"kraken": "EOrder:Unknown order"}
"""Where ccxt maps "no such order" to a broader class, the venue's own words for it."""
_PATIENCE = frozenset({"RateLimitExceeded", "DDoSProtection", "BreakerShut", "BudgetSpent"})
_CREDENTIALS = frozenset(
    {"AuthenticationError", "PermissionDenied", "AccountNotEnabled", "AccountSuspended"}
)
_DEFINITE = _CREDENTIALS | frozenset(
    {
        "ArgumentsRequired",
        "BadRequest",
        "BadSymbol",
        "DuplicateOrderId",
        "InsufficientFunds",
        "InvalidNonce",
        "InvalidOrder",
        "MarketClosed",
        "NotSupported",
        "OperationRejected",
    }
)
_BUSY = frozenset({408, 418, 425, 429})
_TOO_MANY = frozenset({418, 429})
_CLIENT_ERRORS = range(400, 500)
_UNAUTHORIZED = 401
_SHOWN = 60


def words(error: BaseException, venue: str, attempts: Sequence[Attempt]) -> str:
    """Say in an operator's words why a call failed."""
    if isinstance(error, Malformed):
        return error.reason
    if isinstance(error, ResyncError):
        return error.message
    last = attempts[-1] if attempts else None
    if last is None or last.phase is not Phase.ANSWERED:
        if last is not None and last.trouble:
            return redact(last.trouble)
        return (
            "no answer within the time limit"
            if isinstance(error, TimeoutError)
            else f"the request was not made ({type(error).__name__})"
        )
    if isinstance(last.body, Mapping) and (fault := envelope_fault(venue, last.body)):
        return redact(f"{fault} (HTTP {last.status}, {type(error).__name__})")
    if last.trouble:
        return redact(last.trouble)
    body = last.body if last.decoded else last.text
    return f"HTTP {last.status} with {describe(body)} ({type(error).__name__})"


def first_contact(
    error: BaseException, venue: str, attempts: Sequence[Attempt]
) -> ResyncError | None:
    """Return the error to raise at the first call of a run, or None for a plain `Unknown`."""
    reason, names = words(error, venue, attempts), _named(error)
    last = attempts[-1] if attempts else None
    status = last.status if last is not None else None
    if names & _PATIENCE or status in _BUSY:
        return TryAgainLaterError(f"{venue} asks for patience: {reason}")
    if names & _CREDENTIALS or status == _UNAUTHORIZED:
        return CredentialsRefusedError(
            f"{venue} refused the key: {reason}",
            hint="check the key, its permissions, its address list and the clock",
        )
    if last is not None and last.phase is Phase.NOT_SENT:
        return VenueUnavailableError(f"{venue} cannot be reached: {reason}")
    return None


def outcome_of(error: BaseException, venue: str, attempts: Sequence[Attempt]) -> MutationOutcome:
    """Classify what became of a mutating request that ended in an exception.

    Reads that were made on the way to it (a market table) do not count: when one of them failed,
    the request itself was never made.
    """
    reason = words(error, venue, attempts)
    mutating = [one for one in attempts if one.endpoint.kind is not EndpointKind.READ]
    last = mutating[-1] if mutating else None
    if last is None or last.phase in {Phase.REFUSED, Phase.NOT_SENT}:
        wait_ms = last.wait_ms if last is not None else None
        return MutationOutcome(
            kind=OutcomeKind.REJECTED, message=reason, sent=False, retry_after_ms=wait_ms
        )
    if last.phase is not Phase.ANSWERED or last.status is None:
        return MutationOutcome(kind=OutcomeKind.UNKNOWN, message=reason)
    gone = is_not_found(error, venue, mutating)
    return MutationOutcome(
        kind=OutcomeKind.REJECTED if gone or _is_definite(error, last) else OutcomeKind.UNKNOWN,
        message=reason,
        code=code_in(last.body),
        http_status=last.status,
        already_gone=gone,
        expected=gone,
        retry_after_ms=last.wait_ms,
    )


def is_not_found(error: BaseException, venue: str, attempts: Sequence[Attempt]) -> bool:
    """Whether the venue said, in its own envelope, that it does not know the order."""
    last = attempts[-1] if attempts else None
    if last is None or not isinstance(last.body, Mapping):
        return False
    said = _GONE_IN_BODY.get(venue)
    return bool(_named(error) & _GONE) or (said is not None and code_in(last.body) == said)


def _is_definite(error: BaseException, last: Attempt) -> bool:
    """Whether the answer proves that the request was refused."""
    if last.status in _TOO_MANY:
        return True
    if not isinstance(last.body, Mapping):
        return False
    names = _named(error)
    if names & _PATIENCE:
        return True
    if last.status in _BUSY:
        return False
    if names & _DEFINITE:
        return True
    return type(error).__name__ == "ExchangeError" and last.status in _CLIENT_ERRORS


def code_in(body: object) -> str | None:
    """Return the venue's own error code, where the body carries one."""
    if not isinstance(body, Mapping):
        return None
    found: object = next((body[key] for key in ("retCode", "code", "label") if key in body), None)
    nested = body.get("error")
    if found is None and isinstance(nested, Mapping):
        found = nested.get("code")
    elif found is None and isinstance(nested, list) and nested:
        found = nested[0]
    return None if found is None else str(found)[:_SHOWN]


def _named(error: BaseException) -> frozenset[str]:
    """Return the names of the error's class and its bases."""
    return frozenset(base.__name__ for base in type(error).__mro__)
