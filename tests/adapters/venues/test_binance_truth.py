"""Whatever happened on the account, what is read is what is true, to the last digit.

Random histories on the practice exchange, compared with its ground truth. Faults that pass are
mixed in: then a section may be unknown or incomplete, and is never wrong.
"""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from resyncctl.core.snapshot import Known, Section, Window
from tests.adapters.venues.practice import ALGO, LINEAR, SPOT, Practice, open_practice

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
UNIFIED = {
    "spot": tuple(f"{name[:3]}/USDT" for name in SYMBOLS),
    "linear": tuple(f"{name[:3]}/USDT:USDT" for name in SYMBOLS),
}
MARKET = {"spot": "spot", "linear": "usdm"}
FAULTS = (
    "body_html",
    "body_cut",
    "body_null",
    "answer_lost",
    "bad_gateway_502",
    "page_duplicate",
    "page_unstable",
    "duplicate_trade",
    "body_extra_fields",
    "clock_refused",
    "code_1007",
)


Act = Callable[[Practice, Random, str, str], object]


def _trade_linear(place: Practice, random: Random, symbol: str, leg: str) -> object:
    side = {"LONG": "BUY", "SHORT": "SELL"}.get(leg, random.choice(["BUY", "SELL"]))
    wish = {"symbol": symbol, "side": side, "quantity": size(random), "position_side": leg}
    return place.control.trade("main", "20", market="usdm", **wish)


def _rest_algo(place: Practice, random: Random, symbol: str, leg: str) -> object:
    side, stop = random.choice([("SELL", "1"), ("BUY", "99999999")])
    return place.algo_order(
        symbol=symbol,
        side=side,
        stop_price=stop,
        position_side=leg,
        reduce_only=leg == "BOTH",
    )


def size(random: Random) -> str:
    return f"{random.randrange(1, 900) / 1000:.3f}"


def _end_one(place: Practice, random: Random, symbol: str, leg: str) -> object:
    resting = [row for row in place.control.open_orders("main") if row["service"] == "regular"]
    if not resting:
        return None
    end = random.choice([place.control.cancel, place.control.fill])
    return end(random.choice(resting))


ACTS: tuple[Act, ...] = (
    lambda p, r, s, leg: p.spot_order(symbol=s, quantity="0.01", price="1"),
    lambda p, r, s, leg: p.linear_order(
        symbol=s, quantity=size(r), price="1", position_side="BOTH" if leg == "BOTH" else "LONG"
    ),
    _rest_algo,
    lambda p, r, s, leg: p.control.trade(
        "main", "20", market="spot", symbol=s, side="BUY", quantity=size(r)
    ),
    _trade_linear,
    _end_one,
    lambda p, r, s, leg: p.control.funding(s, "0.0001"),
)


def live_a_little(place: Practice, random: Random, steps: int) -> None:
    """Do random things to the account, some of them at the same millisecond."""
    hedge = random.random() < 0.5
    place.control.set_position_mode("main", hedge)
    for _ in range(steps):
        leg = random.choice(["LONG", "SHORT"]) if hedge else "BOTH"
        random.choice(ACTS)(place, random, random.choice(SYMBOLS), leg)
        if random.random() < 0.6:
            place.clock.advance(random.randrange(1, 4_000))


async def read_all(place: Practice) -> dict[str, Section[Any]]:
    view = place.view
    window = Window(place.clock.now_ms() - 3_600_000, place.clock.now_ms())
    return {
        "orders spot": await view.read_open_orders(SPOT),
        "orders linear": await view.read_open_orders(LINEAR),
        "orders algo": await view.read_open_orders(ALGO),
        "positions": await view.read_positions("linear"),
        "balances spot": await view.read_balances("spot"),
        "balances linear": await view.read_balances("linear"),
        "fills spot": await view.read_fills("spot", window, UNIFIED["spot"]),
        "fills linear": await view.read_fills("linear", window, ()),
        "ledger linear": await view.read_ledger("linear", window),
    }


def as_truth_tells(place: Practice) -> dict[str, set[Any]]:
    """Write the ground truth in the same words as `as_read`."""
    truth = place.control.truth("main")
    expected: dict[str, set[Any]] = {}
    for product, market in MARKET.items():
        expected[f"orders {product}"] = {
            (row["symbol"], str(row["order_id"]), row["side"].lower(), Decimal(row["quantity"]))
            for row in truth["open_orders"]
            if row["market"] == market
        }
        expected[f"fills {product}"] = {
            (
                row["symbol"],
                str(row["trade_id"]),
                row["side"].lower(),
                Decimal(row["quantity"]),
                Decimal(row["price"]),
                Decimal(row["fee"]),
                row["time_ms"],
            )
            for row in truth["fills"]
            if row["market"] == market
        }
        expected[f"balances {product}"] = {
            (asset, Decimal(row["total"]))
            for asset, row in truth["balances"][market].items()
            if Decimal(row["total"])
        }
    expected["orders algo"] = {
        (row["symbol"], str(row["algo_id"]), row["side"].lower(), Decimal(row["quantity"]))
        for row in truth["open_algo_orders"]
    }
    expected["positions"] = {
        (row["symbol"], row["position_side"].lower(), Decimal(row["amount"]))
        for row in truth["positions"]
    }
    expected["ledger linear"] = {
        (row["asset"], Decimal(row["amount"]), row["time_ms"])
        for row in truth["postings"]
        if row["market"] == "usdm"
    }
    return expected


def as_read(name: str, section: Known[Any]) -> set[Any]:
    kind = name.partition(" ")[0]
    raw = {
        unified: symbol
        for product in UNIFIED
        for unified, symbol in zip(UNIFIED[product], SYMBOLS, strict=True)
    }
    if kind == "orders":
        return {(o.venue_symbol, o.venue_order_id, o.side.value, o.quantity) for o in section.data}
    if kind == "fills":
        return {
            (
                raw.get(f.symbol, f.symbol),
                f.trade_id,
                f.side.value,
                f.quantity,
                f.price,
                f.fee,
                f.at_ms,
            )
            for f in section.data
        }
    if kind == "balances":
        return {(row.asset, row.total) for row in section.data}
    if kind == "positions":
        return {
            (raw.get(row.symbol, row.symbol), row.leg.value, row.quantity) for row in section.data
        }
    return {(row.asset, row.amount, row.at_ms) for row in section.data}


@pytest.mark.parametrize("seed", range(20))
async def test_what_is_read_is_what_is_true(seed: int) -> None:
    place = open_practice()
    live_a_little(place, Random(seed), 60)
    sections = await read_all(place)
    expected = as_truth_tells(place)
    for name, section in sections.items():
        assert isinstance(section, Known), (name, section)
        assert section.complete, (name, section.notes)
        assert as_read(name, section) == expected[name], name
        assert len(section.data) == len(as_read(name, section)) or name == "ledger linear"
    mode = await place.view.read_position_mode("linear")
    assert mode == ("hedge" if place.control.truth("main")["hedge_mode"] else "one_way")
    await place.venue.close()


@pytest.mark.parametrize("seed", range(20))
async def test_under_passing_faults_nothing_wrong_is_called_whole(seed: int) -> None:
    random = Random(1_000 + seed)
    place = open_practice()
    live_a_little(place, random, 40)
    for _ in range(6):
        place.control.inject(
            random.choice(FAULTS), "read", skip=random.randrange(8), times=random.randrange(1, 4)
        )
    sections = await read_all(place)
    expected = as_truth_tells(place)
    for name, section in sections.items():
        if isinstance(section, Known) and section.complete:
            assert as_read(name, section) == expected[name], name
    assert place.control.fault_ledger()
    await place.venue.close()
