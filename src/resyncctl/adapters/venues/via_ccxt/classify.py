"""What became of a request, from its phase, its status and the venue's own code.

ccxt's exception classes are not asked: they depend on the host name, on earlier successes, and call
a cut-off answer a definite rejection. The default for a request that changes something is UNKNOWN;
only what stands in a table is a definite rejection.

Promises: a request of which a byte may have left is UNKNOWN unless the venue's answer says
otherwise; "no such open order" is a rejection that is marked and never counted as cancelled.
Called by the venue profiles after each attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from resyncctl.adapters.venues.via_ccxt.egress import BreakerShut, BudgetSpent
from resyncctl.adapters.venues.via_ccxt.redaction import redact
from resyncctl.adapters.venues.via_ccxt.transport import Attempt, Phase
from resyncctl.core.errors import (
    CredentialsRefusedError,
    ResyncError,
    TryAgainLaterError,
    VenueUnavailableError,
)
from resyncctl.core.mutation import MutationOutcome, OutcomeKind

WORDS_SHOWN = 120
REJECTED_BEFORE_THE_ENGINE = frozenset({401, 403, 404, 405, 410, 418, 429, 451})
"""Statuses with which a gateway turns a request away. 400 and 409 need a code, 408 is a timeout of
the venue's backend, and every 5xx may have been executed (Binance spot rest-api.md, General)."""
_CLIENT_ERRORS, _SERVER_ERRORS = 400, 500


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A venue's own codes. Codes are text; `definite_texts` are beginnings of messages."""

    unknown: frozenset[str]
    gone: frozenset[str]
    not_found: frozenset[str]
    credentials: frozenset[str]
    clock: frozenset[str]
    definite: frozenset[str]
    definite_texts: tuple[str, ...] = ()


BINANCE = CodeTable(
    unknown=frozenset({"-1000", "-1001", "-1006", "-1007"}),
    gone=frozenset({"-2011", "-2013"}),
    not_found=frozenset({"-2013", "-2011", "-2026", "-2018"}),
    credentials=frozenset({"-2014", "-2015", "-1022", "-2008"}),
    clock=frozenset({"-1021", "-5028"}),
    definite=frozenset({"-1008"}),
    definite_texts=("Service Unavailable", "Internal error; unable to process your request"),
)
"""Sources: Binance spot errors.md (-1006 and -1007: "execution status unknown"), USD-M general
information on 503 (three texts, of which only "Unknown error" may have been executed; -1008 never
was)."""


@dataclass(frozen=True, slots=True)
class VenueWord:
    """The venue's own error: its code as text and its message."""

    code: str
    message: str


def venue_word(body: object) -> VenueWord | None:
    """Return the error that a Binance body holds, or None.

    A code of 200 or 0 is a success; lists hold rows and are no error.
    """
    if not isinstance(body, Mapping) or "code" not in body:
        return None
    code = str(body["code"])
    if code in {"200", "0"}:
        return None
    return VenueWord(code, str(body.get("msg", "")))


def outcome_of(attempt: Attempt, table: CodeTable = BINANCE) -> MutationOutcome:
    """Classify a request that changes something."""
    if attempt.phase in {Phase.REFUSED, Phase.NOT_SENT}:
        return MutationOutcome(
            kind=OutcomeKind.REJECTED,
            message=attempt.trouble or "the request did not leave",
            retry_after_ms=attempt.wait_ms,
            sent=False,
        )
    word = venue_word(attempt.body)
    if attempt.ok and word is None:
        return MutationOutcome(
            kind=OutcomeKind.ACKNOWLEDGED, message="acknowledged", http_status=attempt.status
        )
    gone = word is not None and word.code in table.gone and _client_error(attempt)
    return MutationOutcome(
        kind=_rejected_or_unknown(attempt, word, table),
        message=_message(attempt, word),
        code=word.code if word else None,
        http_status=attempt.status,
        already_gone=gone,
        expected=gone,
        retry_after_ms=attempt.wait_ms,
    )


def _client_error(attempt: Attempt) -> bool:
    return _CLIENT_ERRORS <= (attempt.status or 0) < _SERVER_ERRORS


def _rejected_or_unknown(attempt: Attempt, word: VenueWord | None, table: CodeTable) -> OutcomeKind:
    if attempt.phase is not Phase.ANSWERED or attempt.status is None:
        return OutcomeKind.UNKNOWN
    if word is not None and word.code in table.unknown:
        return OutcomeKind.UNKNOWN
    if word is not None and _client_error(attempt):
        return OutcomeKind.REJECTED
    if attempt.status in REJECTED_BEFORE_THE_ENGINE:
        return OutcomeKind.REJECTED
    if attempt.status >= _SERVER_ERRORS and word is not None:
        definite = word.code in table.definite or word.message.startswith(table.definite_texts)
        return OutcomeKind.REJECTED if definite else OutcomeKind.UNKNOWN
    return OutcomeKind.UNKNOWN


def _message(attempt: Attempt, word: VenueWord | None) -> str:
    if word is not None:
        return redact(f"{word.code} {word.message}")[:WORDS_SHOWN]
    return attempt.trouble or f"status {attempt.status}"


def trouble_of(attempt: Attempt, table: CodeTable = BINANCE) -> str:
    """Return in an operator's words why a read cannot be used."""
    word = venue_word(attempt.body)
    if word is None:
        return attempt.trouble or "the answer could not be used"
    if word.code in table.credentials:
        return f"the key was refused ({_message(attempt, word)}): revoked, or the address changed"
    if word.code in table.clock:
        return f"the clock differs too much ({word.code})"
    return f"the exchange answered {_message(attempt, word)}"


def is_clock_error(attempt: Attempt, table: CodeTable = BINANCE) -> bool:
    """Whether the venue refused the timestamp."""
    word = venue_word(attempt.body)
    return word is not None and word.code in table.clock


def is_not_found(attempt: Attempt, table: CodeTable = BINANCE) -> bool:
    """Whether the venue answered, validly, that it does not know the order."""
    word = venue_word(attempt.body)
    return word is not None and word.code in table.not_found and _client_error(attempt)


def worth_a_second_read(attempt: Attempt) -> bool:
    """Whether a read failed in a way that a second try often cures. Only for reads."""
    if isinstance(attempt.cause, TimeoutError):
        return False  # the first one already took the whole time limit
    broke = attempt.phase in {Phase.NOT_SENT, Phase.SENT}
    return broke or (attempt.status or 0) >= _SERVER_ERRORS


def first_contact_error(
    venue: str, attempt: Attempt, table: CodeTable = BINANCE
) -> ResyncError | None:
    """Return the typed error that a failure of the very first requests means, or None."""
    if isinstance(attempt.cause, BreakerShut | BudgetSpent) or attempt.status in {418, 429}:
        seconds = -(-(attempt.wait_ms or 0) // 1000)
        return TryAgainLaterError(
            f"{venue} asks for patience: {trouble_of(attempt, table)}",
            hint=f"try again in {seconds} s" if seconds else "try again in a minute",
        )
    word = venue_word(attempt.body)
    refused = word is not None and word.code in table.credentials
    if refused or attempt.status == 401:  # noqa: PLR2004  # the status line "Unauthorized"
        return CredentialsRefusedError(
            f"{venue} refused the key at {attempt.host}: {_message(attempt, word)}",
            hint="check the key, its permissions and the addresses that it is bound to; an account"
            " without futures names its scopes in the configuration",
        )
    if attempt.phase is Phase.REFUSED and not attempt.host:
        return CredentialsRefusedError(
            f"a request to {venue} could not be signed: {attempt.trouble}",
            hint="check that the key and the secret are there and whole",
        )
    if attempt.phase is Phase.NOT_SENT:
        return VenueUnavailableError(
            f"{venue} cannot be reached at {attempt.host}: {attempt.trouble}",
            hint="check the network, the name service and the exchange's status page",
        )
    return None
