"""flatten on the practice exchange, through ccxt, the choke point and the deep profile."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from resyncctl.core.errors import StalePlanError
from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.outcome import AccountOutcome
from resyncctl.core.policy import Policy
from resyncctl.procedures.flatten_leg import TOO_SMALL
from tests.journeys.flatten_account import Flattened, Steps, ask, flatten_account

THIN = Policy(flatten_slice_notional_max=Decimal(200_000))


def rows(outcome: AccountOutcome) -> dict[str, dict[str, Any]]:
    found: Any = outcome.data["holdings"]
    return {f"{one['symbol']} {one['leg']}": one for one in found}


def mixed(control: Any) -> None:
    """Six one-way holdings, one thin and one dust, with resting orders and a protective stop."""
    control.set_position("main", "BTCUSDT", "12.5", "59000")
    control.set_position("main", "ETHUSDT", "-40", "3100")
    control.set_position("main", "SOLUSDT", "90", "150")
    control.set_position("main", "XRPUSDT", "0.05", "0.6")
    control.set_liquidity("usdm", "SOLUSDT", "25")
    control.deposit("main", "BTC", "0.75")
    control.deposit("main", "ETH", "10")
    control.seed_order(
        "main",
        market="usdm",
        symbol="BTCUSDT",
        side="BUY",
        quantity="1",
        price="30000",
        client_order_id="mm1-a",
    )
    control.seed_order(
        "main",
        market="spot",
        symbol="ETHUSDT",
        side="SELL",
        quantity="4",
        price="6000",
        client_order_id="mm1-b",
    )
    control.seed_order(
        "main",
        market="usdm",
        symbol="BTCUSDT",
        side="SELL",
        type="STOP_MARKET",
        quantity="12.5",
        stop_price="40000",
        reduce_only=True,
        client_order_id="mm1-stop",
    )


def never_grew(seen: Flattened, start: dict[str, str]) -> None:
    """No leg ever grew or changed its sign, and no fill of ours went the wrong way."""
    for picture in [*seen.history, seen.held()]:
        for name, amount in picture.items():
            first = Decimal(start[name])
            assert abs(amount) <= abs(first)
            assert (amount > 0) is (first > 0)


@pytest.mark.invariant("I10", "I16", "I17", "I18", "I21", "I24")
def test_a_mixed_account_is_flat_but_for_its_dust(tmp_path: Path) -> None:
    seen = flatten_account(tmp_path, mixed, Steps([ask()]), policy=THIN)
    outcome = seen.outcome
    assert outcome.exit_code is ExitCode.RESIDUAL, outcome.evidence
    found = rows(outcome)
    assert seen.held() == {"XRPUSDT BOTH": Decimal("0.05")}
    dust = found["XRP/USDT:USDT both"]
    assert (dust["state"], dust["left"], dust["left_value"]) == ("residual", "0.05", "0.03")
    others = [row["state"] for name, row in found.items() if not name.startswith("XRP")]
    assert others == ["flat"] * 5
    assert outcome.evidence["not_proved"] == [f"XRP/USDT:USDT both: 0.05 left: it is {TOO_SMALL}"]
    assert outcome.next_step == "resyncctl cancel-all --include-protective main"
    never_grew(
        seen,
        {
            "BTCUSDT BOTH": "12.5",
            "ETHUSDT BOTH": "-40",
            "SOLUSDT BOTH": "90",
            "XRPUSDT BOTH": "0.05",
        },
    )
    spot = seen.truth["balances"]["spot"]
    assert Decimal(spot["BTC"]["free"]) < Decimal("0.00001")
    assert Decimal(spot["ETH"]["free"]) < Decimal("0.002")
    wire = [row.parameters for row in seen.creates]
    assert len(wire) == outcome.counts["reducing_orders"]
    assert all(row["timeInForce"] == "IOC" for row in wire)
    assert all(
        row.parameters.get("reduceOnly") == "true"
        for row in seen.creates
        if row.endpoint == "usdm.place"
    )
    assert len({row["newClientOrderId"] for row in wire}) == len(wire)
    spent: Any = outcome.evidence["spent"]
    caps: Any = outcome.evidence["caps"]
    assert Decimal(spent["USDT"]) <= Decimal(caps["USDT"])
    intents = [one for one in seen.records if one["event"] == "intent"]
    assert len(intents) == len(seen.mutations)
    stops = [one["client_order_id"] for one in seen.truth["open_algo_orders"]]
    assert stops == ["mm1-stop"]
    assert len(outcome.evidence["orphaned_protective"]) == 1  # type: ignore[arg-type]  # a list
    assert seen.truth["open_orders"] == []


def test_with_a_dust_limit_it_is_flat_and_a_second_run_sends_nothing(tmp_path: Path) -> None:
    policy = Policy(
        flatten_slice_notional_max=Decimal(200_000),
        dust=(("XRP", Decimal("0.1")), ("ETH", Decimal("0.002")), ("BTC", Decimal("0.00001"))),
    )
    seen = flatten_account(tmp_path, mixed, Steps([ask(protective="cancel"), ask()]), policy=policy)
    first, second = seen.outcomes
    assert isinstance(first, AccountOutcome)
    assert isinstance(second, AccountOutcome)
    assert first.status == second.status == "flat", first.evidence
    assert second.counts["reducing_orders"] == second.counts["cancel_requests"] == 0
    assert seen.truth["open_algo_orders"] == []


def hedged(control: Any) -> None:
    """Six legs of a hedge account: a pair, a short, a thin one, dust, and one with a stop."""
    control.set_position("main", "BTCUSDT", "2", "59000", "LONG")
    control.set_position("main", "BTCUSDT", "-1.5", "61000", "SHORT")
    control.set_position("main", "ETHUSDT", "-40", "3100", "SHORT")
    control.set_position("main", "SOLUSDT", "90", "150", "LONG")
    control.set_position("main", "BNBUSDT", "3", "600", "LONG")
    control.set_position("main", "XRPUSDT", "-0.04", "0.6", "SHORT")
    control.set_liquidity("usdm", "SOLUSDT", "25")


@pytest.mark.invariant("I16")
def test_hedge_legs_are_closed_by_name_and_none_is_opened(tmp_path: Path) -> None:
    seen = flatten_account(tmp_path, hedged, Steps([ask()]), hedge=True)
    outcome = seen.outcome
    assert outcome.exit_code is ExitCode.RESIDUAL
    assert seen.held() == {"XRPUSDT SHORT": Decimal("-0.04")}
    assert sum(row["state"] == "flat" for row in rows(outcome).values()) == 5
    for create in seen.creates:
        assert create.parameters["positionSide"] in {"LONG", "SHORT"}
        assert "reduceOnly" not in create.parameters
        closing = "SELL" if create.parameters["positionSide"] == "LONG" else "BUY"
        assert create.parameters["side"] == closing


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
@pytest.mark.invariant("I16", "I19")
def test_faults_at_the_order_never_make_a_second_position(
    tmp_path: Path, kind: str, settings: dict[str, Any]
) -> None:
    def seed(control: Any) -> None:
        control.set_position("main", "BTCUSDT", "2", "59000")
        control.inject(kind, "usdm.place", account="main", times=1, **settings)

    seen = flatten_account(tmp_path, seed, Steps([ask()]))
    assert isinstance(seen.outcomes[0], AccountOutcome), seen.outcomes
    assert seen.outcome.status == "flat", seen.outcome.evidence
    assert seen.held() == {}
    sold = sum(
        Decimal(fill["quantity"]) for fill in seen.truth["fills"] if fill["symbol"] == "BTCUSDT"
    )
    assert sold == 2


def test_a_stale_plan_sends_nothing_at_all(tmp_path: Path) -> None:
    def moved(control: Any) -> None:
        control.set_position("main", "BTCUSDT", "13", "59000")

    seen = flatten_account(
        tmp_path,
        mixed,
        Steps([ask(dry_run=True), ask()], before={1: moved}, apply_first_plan={1}),
    )
    refused = seen.outcomes[1]
    assert isinstance(refused, StalePlanError)
    assert refused.exit_code == 21
    assert seen.mutations == []
    assert seen.creates == []


def test_a_saved_plan_is_carried_out(tmp_path: Path) -> None:
    seen = flatten_account(
        tmp_path, mixed, Steps([ask(dry_run=True), ask()], apply_first_plan={1}), policy=THIN
    )
    planned, done = seen.outcomes
    assert isinstance(planned, AccountOutcome)
    assert isinstance(done, AccountOutcome)
    assert done.evidence["plan_digest"] == planned.evidence["plan_digest"]
    assert seen.held() == {"XRPUSDT BOTH": Decimal("0.05")}


def test_a_price_that_runs_away_stops_the_leg(tmp_path: Path) -> None:
    def seed(control: Any) -> None:
        control.set_position("main", "SOLUSDT", "90", "150")
        control.set_liquidity("usdm", "SOLUSDT", "25")
        control.schedule(
            60_000, "set_price", {"symbol": "SOLUSDT", "price": "140", "market": "usdm"}
        )

    seen = flatten_account(tmp_path, seed, Steps([ask()]))
    outcome = seen.outcome
    assert outcome.exit_code is ExitCode.RESIDUAL
    (row,) = rows(outcome).values()
    assert "beyond the agreed bound" in row["why"]
    assert 0 < seen.held()["SOLUSDT BOTH"] < 90
    prices = [Decimal(fill["price"]) for fill in seen.truth["fills"]]
    assert min(prices) >= Decimal("148.4")


def test_a_liquidation_in_the_middle_stops_the_leg_and_is_told(tmp_path: Path) -> None:
    def seed(control: Any) -> None:
        control.set_position("main", "SOLUSDT", "90", "150")
        control.set_liquidity("usdm", "SOLUSDT", "25")
        control.schedule(
            60_000, "auto_deleverage", {"account": "main", "symbol": "SOLUSDT", "fraction": "0.5"}
        )

    seen = flatten_account(tmp_path, seed, Steps([ask()]))
    (row,) = rows(seen.outcome).values()
    assert seen.outcome.exit_code is ExitCode.RESIDUAL
    assert "shrank by more than our fills" in row["why"]
    assert Decimal(row["left"]) == seen.held()["SOLUSDT BOTH"]
