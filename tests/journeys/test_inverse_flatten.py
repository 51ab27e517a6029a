"""flatten on inverse contracts: they are ordered in whole contracts and settle in the coin."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.flatten_holdings import Choice
from resyncctl.core.model import OrderClass, Scope
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from tests.journeys.flatten_account import SCOPES, Flattened, Steps, ask, flatten_account

INVERSE = (Scope("inverse"), Scope("inverse", OrderClass.ALGO))
THIN = Policy(flatten_slice_notional_max=Decimal(5_000))


def fund(control: Any) -> None:
    control.deposit("main", "BTC", "20", market="coinm")
    control.deposit("main", "ETH", "200", market="coinm")


def contracts(control: Any) -> None:
    """Three holdings in contracts, with a resting order and a protective stop."""
    fund(control)
    control.set_position("main", "BTCUSD_PERP", "137", "59000")
    control.set_position("main", "BTCUSD_270326", "12", "59000")
    control.set_position("main", "ETHUSD_PERP", "-250", "3100")
    wish = {"market": "coinm", "symbol": "BTCUSD_PERP"}
    control.seed_order("main", **wish, side="BUY", quantity="9", price="30000")
    control.seed_order(
        "main",
        **wish,
        side="SELL",
        type="STOP_MARKET",
        quantity="137",
        stop_price="40000",
        reduce_only=True,
        client_order_id="mm1-stop",
    )


def hedged(control: Any) -> None:
    fund(control)
    control.set_position("main", "BTCUSD_PERP", "40", "59000", "LONG")
    control.set_position("main", "BTCUSD_PERP", "-30", "61000", "SHORT")
    control.set_position("main", "ETHUSD_PERP", "-250", "3100", "SHORT")


def run(folder: Path, seed: Any, *steps: Any, **settings: Any) -> Flattened:
    requests = [ask(scopes=INVERSE, **one) for one in steps or ({},)]
    settings = {"venue_id": "binancecoinm", "scopes": INVERSE} | settings
    return flatten_account(folder, seed, Steps(requests), **settings)


def holdings(outcome: AccountOutcome) -> dict[str, Any]:
    found: Any = outcome.data["holdings"]
    return {f"{one['symbol']} {one['leg']}": one for one in found}


def never_grew(seen: Flattened, start: dict[str, int]) -> None:
    for picture in [*seen.history, seen.held()]:
        for name, amount in picture.items():
            assert abs(amount) <= abs(start[name])
            assert (amount > 0) is (start[name] > 0)


@pytest.mark.invariant("I10", "I16", "I17", "I18", "I24")
@pytest.mark.parametrize("venue_id", ["binance", "binancecoinm"])
def test_every_contract_is_closed_and_proved(tmp_path: Path, venue_id: str) -> None:
    seen = run(tmp_path, contracts, policy=THIN, venue_id=venue_id)
    outcome = seen.outcome
    assert outcome.status == "flat", outcome.evidence
    assert seen.held() == {}
    assert [row["state"] for row in holdings(outcome).values()] == ["flat"] * 3
    never_grew(seen, {"BTCUSD_PERP BOTH": 137, "BTCUSD_270326 BOTH": 12, "ETHUSD_PERP BOTH": -250})
    for row in seen.creates:
        assert row.endpoint == "coinm.place"
        assert (row.parameters["timeInForce"], row.parameters["reduceOnly"]) == ("IOC", "true")
        assert row.parameters["quantity"].isdecimal()
    intents = [one for one in seen.records if one["event"] == "intent"]
    assert len(intents) == len(seen.mutations)
    assert seen.truth["open_orders"] == []
    assert [one["client_order_id"] for one in seen.truth["open_algo_orders"]] == ["mm1-stop"]


def test_no_order_is_worth_more_than_the_cap_in_dollars(tmp_path: Path) -> None:
    """137 contracts are $13,700, so with $5,000 for an order it takes three of them."""
    seen = run(tmp_path, contracts, policy=THIN)
    worth = {"BTCUSD_PERP": 100, "BTCUSD_270326": 100, "ETHUSD_PERP": 10}
    for row in seen.creates:
        assert int(row.parameters["quantity"]) * worth[row.parameters["symbol"]] <= 5_000
    names = [row.parameters["symbol"] for row in seen.creates]
    assert names.count("BTCUSD_PERP") >= 3
    spent: Any = seen.outcome.evidence["spent"]
    caps: Any = seen.outcome.evidence["caps"]
    assert set(spent) == {"USD"}
    assert Decimal(13_700 + 1_200 + 2_500) <= Decimal(spent["USD"]) <= Decimal(caps["USD"])


@pytest.mark.invariant("I16")
def test_hedge_legs_are_closed_by_name_and_none_is_opened(tmp_path: Path) -> None:
    seen = run(tmp_path, hedged, hedge=True)
    assert seen.outcome.status == "flat", seen.outcome.evidence
    assert seen.held() == {}
    for row in seen.creates:
        closing = "SELL" if row.parameters["positionSide"] == "LONG" else "BUY"
        assert row.parameters["side"] == closing
        assert "reduceOnly" not in row.parameters


@pytest.mark.invariant("I16", "I19")
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("answer_lost", {}),
        ("answer_never", {}),
        ("request_lost", {}),
        ("request_delayed", {"parameters": {"delay_ms": 4_000}}),
        ("unknown_503", {}),
        ("code_1007", {}),
        ("reduce_only_refused", {}),
        ("body_html", {}),
        ("limited_429", {}),
    ],
)
def test_faults_at_the_order_never_make_a_second_position(
    tmp_path: Path, kind: str, settings: dict[str, Any]
) -> None:
    def seed(control: Any) -> None:
        fund(control)
        control.set_position("main", "BTCUSD_PERP", "40", "59000")
        control.inject(kind, "coinm.place", account="main", times=1, **settings)

    seen = run(tmp_path, seed)
    assert seen.faults, "the fault never fired"
    assert seen.outcome.status == "flat", seen.outcome.evidence
    assert seen.held() == {}
    assert sum(Decimal(fill["quantity"]) for fill in seen.truth["fills"]) == 40


@pytest.mark.parametrize("kind", ["body_html", "body_null", "body_object", "bad_gateway_502"])
@pytest.mark.parametrize("where", ["coinm.account", "coinm.position_mode", "coinm.depth"])
def test_what_was_not_read_is_never_called_flat(tmp_path: Path, where: str, kind: str) -> None:
    def seed(control: Any) -> None:
        fund(control)
        control.set_position("main", "BTCUSD_PERP", "40", "59000")
        control.inject(kind, where, account="" if where == "coinm.depth" else "main", times=0)

    seen = run(tmp_path, seed)
    assert seen.faults, "the fault never fired"
    last = seen.outcomes[-1]
    if isinstance(last, AccountOutcome):
        assert last.exit_code is not ExitCode.OK
        assert last.status != "flat"
    assert seen.creates == []


def test_an_empty_listing_of_legs_hides_nothing(tmp_path: Path) -> None:
    def seed(control: Any) -> None:
        fund(control)
        control.set_position("main", "BTCUSD_PERP", "40", "59000")
        nothing = {"field": "positions", "value": []}
        control.inject("row_altered", "coinm.account", times=0, parameters=nothing)

    seen = run(tmp_path, seed)
    assert seen.faults, "the fault never fired"
    assert seen.outcome.status == "flat", seen.outcome.evidence
    assert seen.held() == {}


def test_a_halted_contract_is_left_and_told(tmp_path: Path) -> None:
    def seed(control: Any) -> None:
        contracts(control)
        control.set_symbol_status("coinm", "BTCUSD_270326", "SETTLING")

    seen = run(tmp_path, seed)
    assert seen.outcome.exit_code is ExitCode.RESIDUAL
    assert seen.held() == {"BTCUSD_270326 BOTH": Decimal(12)}
    assert holdings(seen.outcome)["BTC/USD:BTC-270326 both"]["state"] != "flat"


def test_naming_the_perpetual_leaves_the_dated_contract_alone(tmp_path: Path) -> None:
    seen = run(tmp_path, contracts, {"choice": Choice(symbols=("BTCUSD_PERP",))})
    assert {row.parameters["symbol"] for row in seen.creates} == {"BTCUSD_PERP"}
    assert seen.held() == {"BTCUSD_270326 BOTH": Decimal(12), "ETHUSD_PERP BOTH": Decimal(-250)}


def test_naming_a_dated_contract_leaves_the_perpetual_alone(tmp_path: Path) -> None:
    seen = run(tmp_path, contracts, {"choice": Choice(symbols=("BTCUSD_270326",))})
    assert {row.parameters["symbol"] for row in seen.creates} == {"BTCUSD_270326"}
    assert set(seen.held()) == {"BTCUSD_PERP BOTH", "ETHUSD_PERP BOTH"}


def test_a_stale_plan_sends_nothing(tmp_path: Path) -> None:
    def moved(control: Any) -> None:
        control.set_position("main", "BTCUSD_PERP", "138", "59000")

    steps = Steps([ask(scopes=INVERSE, dry_run=True), ask(scopes=INVERSE)], {1: moved}, {1})
    seen = flatten_account(tmp_path, contracts, steps, venue_id="binancecoinm", scopes=INVERSE)
    assert not isinstance(seen.outcomes[1], AccountOutcome)
    assert seen.mutations == []


def test_both_futures_markets_become_flat_in_one_run(tmp_path: Path) -> None:
    def seed(control: Any) -> None:
        contracts(control)
        control.set_position("main", "BTCUSDT", "2", "59000")

    every = (*SCOPES, *INVERSE)
    steps = Steps([ask(scopes=every, protective="cancel")])
    seen = flatten_account(tmp_path, seed, steps, scopes=every)
    assert seen.outcome.status == "flat", seen.outcome.evidence
    assert seen.held() == {}
    assert {row.endpoint for row in seen.creates} == {"usdm.place", "coinm.place"}
    assert seen.truth["open_algo_orders"] == seen.truth["open_orders"] == []
    spent: Any = seen.outcome.evidence["spent"]
    assert set(spent) == {"USD", "USDT"}
