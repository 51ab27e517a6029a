"""The borders of the outcome table: the exact statuses, codes and phases at which it turns."""

import pytest

from resyncctl.adapters.venues.via_ccxt.classify import (
    BINANCE,
    first_contact_error,
    is_clock_error,
    is_not_found,
    outcome_of,
    trouble_of,
    worth_a_second_read,
)
from resyncctl.adapters.venues.via_ccxt.egress import BudgetSpent
from resyncctl.adapters.venues.via_ccxt.permits import Endpoint, EndpointKind
from resyncctl.adapters.venues.via_ccxt.transport import Attempt, Phase
from resyncctl.core.errors import (
    CredentialsRefusedError,
    TryAgainLaterError,
    VenueUnavailableError,
)
from resyncctl.core.mutation import OutcomeKind
from tests.adapters.venues.test_classify import ACK, NO, UNKNOWN, answered, error, failed


@pytest.mark.parametrize("status", [401, 403, 404, 405, 410, 418, 429, 451])
def test_a_gateway_s_refusal_needs_no_code(status: int) -> None:
    assert outcome_of(answered(status, "<html>no</html>")).kind is NO


@pytest.mark.parametrize("status", [400, 402, 406, 408, 409, 411, 419, 430, 452, 500, 502, 599])
def test_any_other_answer_without_a_code_is_not_known(status: int) -> None:
    assert outcome_of(answered(status, "<html>no</html>")).kind is UNKNOWN


@pytest.mark.parametrize(
    ("status", "kind"), [(399, UNKNOWN), (400, NO), (499, NO), (500, UNKNOWN), (503, UNKNOWN)]
)
def test_a_code_proves_a_refusal_only_below_the_server_errors(
    status: int, kind: OutcomeKind
) -> None:
    assert outcome_of(answered(status, error(-1121))).kind is kind


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (-1008, "", NO),
        (-1, "Service Unavailable.", NO),
        (-1, "Internal error; unable to process your request. Please try again.", NO),
        (-1, "Unknown error, please check your request or try again later.", UNKNOWN),
        (-1, "", UNKNOWN),
    ],
)
def test_three_texts_of_a_server_error(
    status: int, code: int, text: str, kind: OutcomeKind
) -> None:
    assert outcome_of(answered(status, error(code, text))).kind is kind


@pytest.mark.parametrize("phase", [Phase.SENT, Phase.REFUSED, Phase.NOT_SENT])
def test_a_status_line_before_the_answer_broke_off_proves_nothing(phase: Phase) -> None:
    attempt = answered(400, error(-2011))
    attempt.phase = phase
    outcome = outcome_of(attempt)
    assert outcome.kind is (UNKNOWN if phase is Phase.SENT else NO)
    assert outcome.sent is (phase is Phase.SENT)


@pytest.mark.parametrize("status", [401, 404, 429])
def test_a_gateway_s_status_proves_nothing_when_the_answer_broke_off(status: int) -> None:
    attempt = answered(status, None)
    attempt.phase = Phase.SENT
    assert outcome_of(attempt).kind is UNKNOWN


@pytest.mark.invariant("I3")
@pytest.mark.parametrize("status", [200, 302, 399])
@pytest.mark.parametrize("body", [error(-1008), error(-1, "Service Unavailable")])
def test_words_of_a_refusal_prove_nothing_in_an_answer_that_is_no_error(
    status: int, body: dict[str, object]
) -> None:
    assert outcome_of(answered(status, body)).kind is OutcomeKind.UNKNOWN


def test_an_answer_without_a_status_is_not_known() -> None:
    assert outcome_of(failed(Phase.ANSWERED)).kind is UNKNOWN


@pytest.mark.parametrize("code", ["0", 0, "200", 200])
def test_zero_and_two_hundred_are_no_errors(code: object) -> None:
    assert outcome_of(answered(200, {"code": code})).kind is ACK


@pytest.mark.parametrize(
    ("status", "code", "gone"),
    [(400, -2011, True), (400, -2013, True), (400, -1121, False), (500, -2011, False)],
)
def test_gone_needs_its_code_and_a_client_error(status: int, code: int, gone: bool) -> None:
    outcome = outcome_of(answered(status, error(code)))
    assert (outcome.already_gone, outcome.expected) == (gone, gone)


@pytest.mark.parametrize("code", sorted(BINANCE.not_found))
def test_every_code_of_not_found(code: str) -> None:
    assert is_not_found(answered(400, error(int(code))))
    assert not is_not_found(answered(500, error(int(code))))
    assert not is_not_found(answered(400, error(-1121)))


@pytest.mark.parametrize("code", [-2013, -2011, -2026, -2018])
def test_not_found_knows_these_codes(code: int) -> None:
    assert is_not_found(answered(400, error(code)))


@pytest.mark.parametrize("code", [-2014, -2015, -1022, -2008])
def test_the_key_s_codes_are_told_as_such(code: int) -> None:
    assert "the key was refused" in trouble_of(answered(400, error(code)))
    refused = first_contact_error("binance", answered(400, error(code)))
    assert isinstance(refused, CredentialsRefusedError)


@pytest.mark.parametrize(("code", "clock"), [(-1021, True), (-5028, True), (-1121, False)])
def test_the_clock_s_codes(code: int, clock: bool) -> None:
    assert is_clock_error(answered(400, error(code))) is clock
    assert ("clock" in trouble_of(answered(400, error(code)))) is clock


@pytest.mark.parametrize(("status", "again"), [(499, False), (500, True), (501, True)])
def test_a_second_read_is_for_server_errors(status: int, again: bool) -> None:
    assert worth_a_second_read(answered(status, None)) is again


def test_an_answer_without_a_status_is_not_read_again() -> None:
    assert not worth_a_second_read(failed(Phase.ANSWERED))


def test_first_contact_asks_for_patience_and_says_for_how_long() -> None:
    for status in (418, 429):
        attempt = answered(status, None)
        attempt.wait_ms = 1_001
        patience = first_contact_error("binance", attempt)
        assert isinstance(patience, TryAgainLaterError)
        assert patience.hint == "try again in 2 s"
        attempt.wait_ms = 1_000
        assert getattr(first_contact_error("binance", attempt), "hint", "") == "try again in 1 s"
        attempt.wait_ms = None
        assert "a minute" in getattr(first_contact_error("binance", attempt), "hint", "")


def test_first_contact_with_a_spent_budget_is_patience() -> None:
    spent = failed(Phase.REFUSED, BudgetSpent(1_000))
    assert isinstance(first_contact_error("binance", spent), TryAgainLaterError)


def test_first_contact_tells_the_key_from_other_troubles() -> None:
    assert isinstance(first_contact_error("binance", answered(401, None)), CredentialsRefusedError)
    assert first_contact_error("binance", answered(402, None)) is None
    assert first_contact_error("binance", answered(400, error(-1121))) is None
    assert first_contact_error("binance", answered(419, None)) is None


def test_first_contact_that_could_not_be_signed_or_reached() -> None:
    unsigned = Attempt(Endpoint("x", EndpointKind.READ), "GET", "", "", Phase.REFUSED)
    assert isinstance(first_contact_error("binance", unsigned), CredentialsRefusedError)
    assert first_contact_error("binance", failed(Phase.REFUSED)) is None
    assert isinstance(first_contact_error("binance", failed(Phase.NOT_SENT)), VenueUnavailableError)
    nowhere = Attempt(Endpoint("x", EndpointKind.READ), "GET", "", "", Phase.SENT)
    assert first_contact_error("binance", nowhere) is None
