"""reconcile and cancel-all on inverse contracts, with faults wherever the account is read."""

from typing import Any

import pytest

from resyncctl.core.discrepancy import Kind, Verdict
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.outcome import AccountOutcome
from tests.journeys.inverse_account import Desk, on_an_inverse_account, rest

READS = (
    "coinm.open_orders",
    "coinm.open_algos",
    "coinm.account",
    "coinm.position_mode",
    "coinm.balance",
    "coinm.user_trades",
    "coinm.income",
    "coinm.time",
)
BODIES = (
    "body_empty",
    "body_object",
    "body_null",
    "body_html",
    "body_cut",
    "body_wrong_type",
    "body_error_in_200",
    "bad_gateway_502",
    "answer_lost",
    "answer_truncated",
)
PASSING = (
    "answer_lost",
    "answer_never",
    "body_html",
    "body_null",
    "body_cut",
    "cancel_pretended",
    "mass_cancel_partial",
    "request_lost",
    "request_delayed",
    "unknown_503",
    "code_1007",
    "clock_refused",
)


def kinds(outcome: Any) -> list[Kind]:
    assert isinstance(outcome, AccountOutcome), outcome
    return sorted(finding.kind for finding in outcome.findings)


def test_an_engine_that_knows_everything_is_clean() -> None:
    async def story(desk: Desk) -> Any:
        await desk.believe_the_truth()
        return await desk.reconcile(), desk.engine.positions

    outcome, positions = on_an_inverse_account(story)
    assert outcome.verdict is Verdict.CLEAN, outcome.findings
    assert {(row.symbol, int(row.quantity)) for row in positions.data} == {
        ("BTC/USD:BTC", 60),
        ("ETH/USD:ETH", -250),
    }


@pytest.mark.invariant("I2")
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("where", READS)
def test_no_fault_of_a_reading_ends_clean(where: str, body: str) -> None:
    async def story(desk: Desk) -> Any:
        await desk.believe_the_truth()
        account = "" if where == "coinm.time" else "main"
        desk.control.inject(body, where, account=account, times=0)
        ended = await desk.reconcile()
        assert desk.control.fault_ledger(), "the fault never fired"
        assert desk.exchange.log.mutations() == []
        return ended

    ended = on_an_inverse_account(story)
    if isinstance(ended, AccountOutcome):
        assert ended.verdict is not Verdict.CLEAN
        assert ended.exit_code is not ExitCode.OK


def test_a_missed_fill_is_found_in_contracts_and_explains_everything() -> None:
    async def story(desk: Desk) -> Any:
        sale = {"side": "SELL", "quantity": "20", "price": "75000"}
        resting = rest(desk.control, "BTCUSD_PERP", client_order_id="mm1-sale", **sale)
        await desk.believe_the_truth()
        desk.control.fill(resting)
        return await desk.reconcile()

    outcome = on_an_inverse_account(story)
    assert Kind.MISSING_FILL in kinds(outcome)
    missed = next(one for one in outcome.findings if one.kind is Kind.MISSING_FILL)
    assert (missed.venue["quantity"], missed.venue["fee_asset"]) == (20, "BTC")
    explained = {entry["what"] for entry in outcome.data["explained"]}
    assert {"position", "balance"} <= explained
    assert Kind.POSITION_MISMATCH not in kinds(outcome)
    assert Kind.BALANCE_MISMATCH not in kinds(outcome)


def test_funding_in_coins_explains_a_balance() -> None:
    async def story(desk: Desk) -> Any:
        await desk.believe_the_truth()
        desk.control.funding("BTCUSD_PERP", "0.001")
        return await desk.reconcile()

    outcome = on_an_inverse_account(story)
    assert outcome.verdict is not Verdict.UNKNOWN
    assert Kind.BALANCE_MISMATCH not in kinds(outcome)


def test_a_leg_that_moved_without_a_fill_is_a_finding() -> None:
    async def story(desk: Desk) -> Any:
        await desk.believe_the_truth()
        desk.control.set_position("main", "BTCUSD_PERP", "61", "60000")
        return await desk.reconcile()

    assert kinds(on_an_inverse_account(story)) == [Kind.POSITION_MISMATCH]


def test_a_repaired_engine_is_clean() -> None:
    async def story(desk: Desk) -> Any:
        await desk.believe_the_truth()
        wish = {"market": "coinm", "symbol": "BTCUSD_PERP", "side": "SELL", "quantity": "90"}
        desk.control.trade("main", "75000", **wish)
        rest(desk.control, "ETHUSD_PERP", client_order_id="mm1-late")
        desk.control.cancel(desk.control.open_orders("main")[0])
        before = await desk.reconcile(want_events=True)
        repaired = await desk.reconcile(want_repair=True)
        return before, repaired, await desk.reconcile(), desk.engine.positions

    before, repaired, after, positions = on_an_inverse_account(story)
    assert before.verdict is Verdict.DISCREPANT
    assert before.data["events"]
    assert isinstance(repaired, AccountOutcome)
    assert kinds(after) == [Kind.ORPHAN_ORDER] or after.verdict is Verdict.CLEAN
    held = {row.symbol: int(row.quantity) for row in positions.data}
    assert held == {"BTC/USD:BTC": -30, "ETH/USD:ETH": -250}


def test_everything_is_cancelled_and_proved_and_nothing_else() -> None:
    async def story(desk: Desk) -> Any:
        ended = await desk.cancel_all()
        return ended, desk.control.open_orders("main"), list(desk.exchange.log.mutations())

    ended, left, mutations = on_an_inverse_account(story)
    assert ended.exit_code is ExitCode.OK, ended
    assert (ended.counts["before"], ended.counts["gone"]) == (4, 4)
    assert [row["market"] for row in left] == ["usdm"]
    assert {row.host for row in mutations} == {"dapi.binance.com"}


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("where", ["read", "cancel"])
def test_a_passing_fault_is_survived(kind: str, where: str) -> None:
    async def story(desk: Desk) -> Any:
        skip = 1 if where == "read" else 0
        desk.control.inject(kind, where, account="main", times=3, skip=skip)
        ended = await desk.cancel_all()
        left = [row for row in desk.control.open_orders("main") if row["market"] == "coinm"]
        assert not desk.exchange.log.creates()
        return ended, left

    ended, left = on_an_inverse_account(story)
    assert isinstance(ended, AccountOutcome), ended
    assert ended.exit_code is ExitCode.OK, ended.evidence
    assert left == []


@pytest.mark.parametrize("kind", ["body_html", "answer_never", "cancel_pretended", "body_object"])
def test_a_fault_without_end_is_never_called_proved(kind: str) -> None:
    async def story(desk: Desk) -> Any:
        desk.control.inject(kind, "cancel", account="main", times=0)
        desk.control.inject(kind, "read", account="main", times=0, skip=8)
        return await desk.cancel_all(deadline_ms=180_000)

    ended = on_an_inverse_account(story)
    if isinstance(ended, AccountOutcome):
        assert ended.exit_code is not ExitCode.OK
