"""Small pieces that every procedure's outcome is made of."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal

from resyncctl.core.errors import ResyncError
from resyncctl.core.money import plain
from resyncctl.core.outcome import AccountOutcome, OutcomeError
from resyncctl.core.policy import Policy


def failed(account: str, error: ResyncError, next_step: str | None = None) -> AccountOutcome:
    """Given an error that ended an account's run, return the outcome that says so."""
    return AccountOutcome(
        account=account,
        status="failed",
        exit_code=error.exit_code,
        error=OutcomeError(
            kind=error.kind, message=error.message, hint=error.hint, place=error.place
        ),
        next_step=next_step,
    )


def digest_of(value: Mapping[str, object]) -> str:
    """Return a digest of JSON-friendly content that does not depend on the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def policy_digest(policy: Policy) -> str:
    """Return the digest that changes whenever a tolerance, window or horizon does."""
    return digest_of(asdict(policy))


def _plain(value: object) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)
