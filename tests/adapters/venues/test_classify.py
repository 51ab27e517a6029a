"""The outcome of a cancel, and the words of a read, for everything an exchange may do."""

import json

import aiohttp
import pytest

from resyncctl.adapters.venues.via_ccxt.classify import (
    first_contact_error,
    is_clock_error,
    is_not_found,
    outcome_of,
    trouble_of,
    worth_a_second_read,
)
from resyncctl.adapters.venues.via_ccxt.permits import Endpoint, EndpointKind
from resyncctl.adapters.venues.via_ccxt.transport import Attempt, Phase
from resyncctl.core.errors import (
    CredentialsRefusedError,
    TryAgainLaterError,
    VenueUnavailableError,
)
from resyncctl.core.mutation import OutcomeKind

ACK, NO, UNKNOWN = OutcomeKind.ACKNOWLEDGED, OutcomeKind.REJECTED, OutcomeKind.UNKNOWN
ENDPOINT = Endpoint("spot.cancel_order", EndpointKind.CANCEL)


def answered(status: int, body: object, trouble: str | None = "status") -> Attempt:
    attempt = Attempt(ENDPOINT, "DELETE", "api.binance.com", "/api/v3/order", Phase.ANSWERED)
    attempt.status, attempt.body, attempt.text = status, body, json.dumps(body)
    attempt.trouble = None if status < 300 and trouble == "status" else trouble
    return attempt


def failed(phase: Phase, cause: BaseException | None = None) -> Attempt:
    attempt = Attempt(ENDPOINT, "DELETE", "api.binance.com", "/api/v3/order", phase)
    attempt.trouble, attempt.cause = "no answer", cause
    return attempt


def error(code: int, text: str = "") -> dict[str, object]:
    return {"code": code, "msg": text}


TABLE: list[tuple[int, object, OutcomeKind]] = [
    (200, {"orderId": 1}, ACK),
    (200, {"code": 200, "msg": "done"}, ACK),
    (200, {"code": "200", "msg": "success", "algoId": 1}, ACK),
    (200, error(-2011), UNKNOWN),
    (400, error(-2011, "Unknown order sent."), NO),
    (400, error(-2013), NO),
    (400, error(-1121), NO),
    (400, error(-1021), NO),
    (400, error(-1022), NO),
    (400, error(-4999, "a code that nobody knows"), NO),
    (400, error(-1006), UNKNOWN),
    (400, error(-1007), UNKNOWN),
    (400, error(-1000), UNKNOWN),
    (400, error(-1001), UNKNOWN),
    (400, None, UNKNOWN),
    (401, error(-2015), NO),
    (401, None, NO),
    (403, None, NO),
    (404, None, NO),
    (408, error(-1007), UNKNOWN),
    (408, None, UNKNOWN),
    (409, None, UNKNOWN),
    (418, error(-1003), NO),
    (429, error(-1003), NO),
    (451, None, NO),
    (500, None, UNKNOWN),
    (502, None, UNKNOWN),
    (503, None, UNKNOWN),
    (503, error(-1000, "Unknown error, please check your request or try again later."), UNKNOWN),
    (503, error(-1, "Service Unavailable."), NO),
    (503, error(-1001, "Internal error; unable to process your request."), UNKNOWN),
    (503, error(-1, "Internal error; unable to process your request. Please try again."), NO),
    (503, error(-1008, "Request throttled by system-level protection."), NO),
    (504, error(-1007), UNKNOWN),
    (520, None, UNKNOWN),
    (302, None, UNKNOWN),
]


@pytest.mark.parametrize(("status", "body", "kind"), TABLE)
def test_the_outcome_of_an_answer(status: int, body: object, kind: OutcomeKind) -> None:
    outcome = outcome_of(answered(status, body))
    assert outcome.kind is kind
    assert outcome.http_status == status
    assert outcome.sent


def test_a_success_with_a_bad_body_is_unknown() -> None:
    assert outcome_of(answered(200, None, "an HTML page")).kind is UNKNOWN


@pytest.mark.parametrize("phase", [Phase.REFUSED, Phase.NOT_SENT])
def test_what_did_not_leave_is_a_rejection_that_was_not_sent(phase: Phase) -> None:
    outcome = outcome_of(failed(phase))
    assert (outcome.kind, outcome.sent) == (NO, False)


@pytest.mark.invariant("I2", "I19")
def test_what_left_without_an_answer_is_unknown() -> None:
    outcome = outcome_of(failed(Phase.SENT))
    assert (outcome.kind, outcome.sent) == (UNKNOWN, True)


@pytest.mark.invariant("I20")
@pytest.mark.parametrize("code", [-2011, -2013])
def test_already_gone_is_marked_and_not_acknowledged(code: int) -> None:
    outcome = outcome_of(answered(400, error(code)))
    assert (outcome.already_gone, outcome.expected, outcome.kind) == (True, True, NO)
    assert not outcome_of(answered(500, error(code))).already_gone


def test_the_wish_for_silence_is_kept() -> None:
    attempt = answered(429, error(-1003))
    attempt.wait_ms = 7_000
    assert outcome_of(attempt).retry_after_ms == 7_000


def test_messages_hold_no_signature() -> None:
    text = "bad: signature=abcdef&timestamp=1&symbol=BTCUSDT"
    assert "abcdef" not in outcome_of(answered(400, error(-1022, text))).message
    assert "abcdef" not in trouble_of(answered(400, error(-1100, text)))


def test_words_of_a_read() -> None:
    assert "key was refused" in trouble_of(answered(401, error(-2015, "Invalid API-key")))
    assert "clock" in trouble_of(answered(400, error(-1021)))
    assert "-1121" in trouble_of(answered(400, error(-1121, "Invalid symbol.")))
    assert trouble_of(failed(Phase.SENT)) == "no answer"
    assert is_clock_error(answered(400, error(-5028)))
    assert is_not_found(answered(400, error(-2013)))
    assert not is_not_found(answered(500, error(-2013)))


def test_second_reads() -> None:
    assert worth_a_second_read(failed(Phase.SENT, aiohttp.ServerDisconnectedError()))
    assert worth_a_second_read(answered(502, None))
    assert not worth_a_second_read(failed(Phase.SENT, TimeoutError()))
    assert not worth_a_second_read(answered(400, error(-1121)))


def test_first_contact() -> None:
    refused = failed(Phase.NOT_SENT)
    assert isinstance(first_contact_error("binance", refused), VenueUnavailableError)
    key = answered(401, error(-2015))
    assert isinstance(first_contact_error("binance", key), CredentialsRefusedError)
    signature = answered(400, error(-1022))
    assert isinstance(first_contact_error("binance", signature), CredentialsRefusedError)
    limited = answered(429, error(-1003))
    limited.wait_ms = 6_500
    later = first_contact_error("binance", limited)
    assert isinstance(later, TryAgainLaterError)
    assert later.hint == "try again in 7 s"
    assert first_contact_error("binance", answered(500, None)) is None
