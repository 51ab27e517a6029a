"""Flatten plans: what is agreed to, from which state, and how it survives a file."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resyncctl.core.errors import CorruptDataError
from resyncctl.core.flatten_holdings import (
    AccountReading,
    Choice,
    Holding,
    Instrument,
    position_holdings,
    quote_of_pairs,
    spot_holdings,
)
from resyncctl.core.flatten_plan import (
    FlattenPlan,
    FlattenWish,
    fingerprint_of,
    flat_below,
    plan_flatten,
)
from resyncctl.core.flatten_plan_json import plan_from_text, plan_to_text
from resyncctl.core.flatten_proof import (
    Change,
    Flatness,
    FlatRead,
    change_words,
    judge_change,
    judge_flat,
)
from resyncctl.core.model import Balance, Leg, Position
from resyncctl.core.reduction import Protection
from resyncctl.core.snapshot import Unknown
from tests.core.test_flatten_slices import BTC, INVERSE, RULES, amounts, book
from tests.core.test_plan import LINEAR, order

ETH = "ETH/USDT:USDT"
WISH = FlattenWish(choice=Choice(), slippage_max=Decimal("0.01"))
DEEP = book(("100", "9"), ("99", "90"), asks=(("100.1", "9"), ("101", "90")))
KEY = ("linear", BTC, "both")


def held(quantity: str, symbol: str = BTC, leg: Leg = Leg.BOTH) -> Holding:
    amount = Decimal(quantity)
    return Holding(product="linear", symbol=symbol, leg=leg, quantity=amount, available=amount)


def reading(*holdings: Holding, **changes: object) -> AccountReading:
    base = AccountReading(
        account="main",
        as_of_ms=1_000,
        began_ms=0,
        modes={"linear": "one_way"},
        holdings=holdings,
        orders=(),
        instruments={
            (one.product, one.symbol): Instrument(
                rules=replace(RULES, symbol=one.symbol), book=DEEP
            )
            for one in holdings
        },
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # the tests name real fields


def plan(*holdings: Holding, wish: FlattenWish = WISH, **changes: object) -> FlattenPlan:
    return plan_flatten(reading(*holdings, **changes), wish, why_not={}, validity_ms=120_000)


def test_a_plan_says_what_will_be_done_and_what_it_is_worth() -> None:
    made = plan(held("10.5004"), held("-2", ETH))
    first, second = made.targets
    assert (first.side.value, first.quantity, first.rest) == (
        "sell",
        Decimal("10.500"),
        Decimal("0.0004"),
    )
    assert first.protection is Protection.REDUCE_ONLY
    assert first.slippage == Decimal("0.00142858")
    assert (second.side.value, second.value) == ("buy", Decimal("200.2"))
    assert made.worth == {"USDT": Decimal("1250.2")}
    assert made.caps == {"USDT": Decimal("1262.71")}
    assert made.expires_ms == 121_000


def test_the_number_of_orders_follows_the_largest_order_and_the_caps() -> None:
    assert plan(held("5")).targets[0].slices == 1
    capped = replace(WISH, slice_notional_max=Decimal(150))
    assert plan(held("5"), wish=capped).targets[0].slices == 4
    assert plan(held("500")).targets[0].slices == 6


def test_the_cap_that_was_asked_for_is_the_cap() -> None:
    made = plan(held("5"), wish=replace(WISH, notional_max=Decimal(120)))
    assert made.caps == {"USDT": Decimal(120)}


@pytest.mark.parametrize(
    ("instrument", "words"),
    [
        (None, "not read"),
        (Instrument(rules=Unknown("HTML"), book=DEEP), "rules are not known: HTML"),
        (Instrument(rules=RULES, book=Unknown("late")), "book is not known: late"),
        (Instrument(rules=replace(RULES, trading=False, status="BREAK"), book=DEEP), "BREAK"),
        (Instrument(rules=RULES, book=book()), "nobody is on the other side"),
    ],
)
def test_what_cannot_be_reduced_stays_in_the_plan_with_the_reason(
    instrument: Instrument | None, words: str
) -> None:
    known = {} if instrument is None else {("linear", BTC): instrument}
    (target,) = plan(held("1"), instruments=known).targets
    assert words in (target.blocked or "")
    assert not plan(held("1"), instruments=known).reducible


def test_a_product_without_the_power_is_blocked() -> None:
    made = plan_flatten(reading(held("1")), WISH, why_not={"linear": "not here"}, validity_ms=1)
    assert made.targets[0].blocked == "not here"


def test_dust_is_in_the_plan_by_value() -> None:
    (target,) = plan(held("0.0004")).targets
    assert target.is_dust
    assert target.rest_value == Decimal("0.04")
    assert target.flat_below == 0


def test_the_policy_s_dust_is_in_the_base_asset() -> None:
    wish = replace(WISH, dust=(("BTC", Decimal("0.01")),))
    assert flat_below(RULES, Decimal(100), wish) == Decimal("0.01")
    assert flat_below(INVERSE, Decimal(50_000), wish) == 5
    assert flat_below(replace(RULES, base="XRP"), Decimal(1), wish) == 0


def test_the_digest_follows_what_is_agreed_and_not_the_price() -> None:
    made = plan(held("1"))
    cheaper = {("linear", BTC): Instrument(rules=RULES, book=book(("90", "9")))}
    assert plan(held("1"), instruments=cheaper).digest == made.digest
    others = [
        plan(held("1.001")),
        plan(held("-1")),
        plan(held("1"), modes={"linear": "hedge"}),
        plan(held("1"), orders=(order(1, scope=LINEAR),)),
        plan(held("1"), wish=replace(WISH, slippage_max=Decimal("0.02"))),
        plan(held("1"), wish=replace(WISH, notional_max=Decimal(1))),
        plan(held("1"), wish=replace(WISH, slice_notional_max=Decimal(1))),
        plan(held("1"), wish=replace(WISH, choice=Choice(into="USDT"))),
        plan(held("1"), wish=replace(WISH, choice=Choice(symbols=(BTC,)))),
        plan(held("1"), account="other"),
    ]
    digests = {one.digest for one in others}
    assert len(digests) == len(others)
    assert made.digest not in digests


def test_the_fingerprint_follows_the_state_and_not_the_wish() -> None:
    same = reading(held("1"), held("2", ETH))
    again = replace(same, holdings=tuple(reversed(same.holdings)), as_of_ms=99)
    assert fingerprint_of(same) == fingerprint_of(again)
    assert fingerprint_of(same) != fingerprint_of(reading(held("1")))


@given(
    st.lists(st.tuples(amounts("-9", "9", 8), st.sampled_from([BTC, ETH])), max_size=4),
    st.sampled_from([None, Decimal("1.50")]),
)
def test_a_plan_survives_its_file(rows: list[tuple[Decimal, str]], cap: Decimal | None) -> None:
    holdings = [held(str(amount), symbol) for amount, symbol in rows if amount]
    wish = replace(
        WISH,
        notional_max=cap,
        dust=(("XRP", Decimal(1)), ("BTC", Decimal("0.10"))),
        choice=Choice(into="USDT", ignored_assets=("BNB",)),
    )
    made = plan(*holdings, wish=wish, unread=("spot: late",))
    read = plan_from_text(plan_to_text(made), "plan.json")
    assert read == made
    assert read.digest == made.digest


def put(value: object, *steps: str | int) -> Callable[[Any], None]:
    """Return an edit of a document: set a value at the end of a path."""

    def edit(document: Any) -> None:
        for step in steps[:-1]:
            document = document[step]
        document[steps[-1]] = value

    return edit


FIRST = ("plan", "targets", 0)
EDITS: dict[str, Callable[[Any], None]] = {
    "cap": put("999999", "plan", "caps", "USDT"),
    "holding": put("2", *FIRST, "holding"),
    "digest": put("0" * 64, "digest"),
    "unknown key": put("2", *FIRST, "hodling"),
    "missing key": lambda document: document["plan"].pop("expires_at"),
    "float": put(0.01, "plan", "wish", "slippage_max"),
    "side": put("short", *FIRST, "side"),
    "schema": put("resyncctl/flatten-plan/v2", "schema"),
    "count": put("many", "plan", "orders"),
    "targets": put({}, "plan", "targets"),
}


def spoil(change: str) -> str:
    text = plan_to_text(plan(held("1")))
    if change == "cut":
        return text[: len(text) // 2]
    if change == "list":
        return "[]"
    document = json.loads(text)
    EDITS[change](document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("cap", "checksum"),
        ("holding", "checksum"),
        ("digest", "digest does not belong"),
        ("unknown key", "plan.targets[0]"),
        ("missing key", "expires_at"),
        ("float", "float"),
        ("side", "plan.targets[0].side"),
        ("schema", "schema"),
        ("cut", "line"),
        ("list", "expected an object"),
        ("count", "plan.orders"),
        ("targets", "expected a list"),
    ],
)
def test_a_spoilt_file_is_refused_with_its_place(change: str, words: str) -> None:
    with pytest.raises(CorruptDataError) as refused:
        plan_from_text(spoil(change), "plan.json")
    assert words in f"{refused.value.message} {refused.value.place}"
    assert (refused.value.place or "").startswith("plan.json")


def test_positions_and_assets_are_chosen_by_name() -> None:
    rows = [
        Position(account="main", product="linear", symbol=BTC, leg=Leg.BOTH, quantity=Decimal(1)),
        Position(account="main", product="linear", symbol=ETH, leg=Leg.BOTH, quantity=Decimal(0)),
    ]
    for symbols in ((), (BTC,), ("BTCUSDT",)):
        assert len(position_holdings(rows, Choice(symbols=symbols))) == 1
    assert not position_holdings(rows, Choice(symbols=("ETHUSDT",)))
    owned = [
        Balance(
            account="main",
            product="spot",
            asset=name,
            free=Decimal(1),
            locked=Decimal(1),
            total=Decimal(total),
        )
        for name, total in (("BTC", 2), ("USDT", 2), ("BNB", 2), ("XRP", 0))
    ]
    choice = Choice(into="USDT", ignored_assets=("BNB",))
    (found,) = spot_holdings(owned, choice)
    assert found.symbol == "BTC/USDT"
    assert (found.quantity, found.available) == (Decimal(2), Decimal(1))
    assert not spot_holdings(owned, replace(choice, symbols=("ETH/USDT",)))


def test_the_asset_to_sell_into_is_known_only_when_all_pairs_agree() -> None:
    assert quote_of_pairs(["BTC/USDT", "ETH/USDT", BTC.replace("USDT", "USDC")]) == "USDT"
    assert quote_of_pairs(["BTC/USDT", "BTC/EUR"]) is None
    assert quote_of_pairs([BTC]) is None


@pytest.mark.parametrize(
    ("product", "expected", "seen", "change"),
    [
        ("linear", "1", "1.0", Change.NONE),
        ("linear", "1", "0", Change.GONE),
        ("linear", "1", "0.9", Change.SHRANK),
        ("linear", "1", "1.1", Change.GREW),
        ("linear", "1", "-1", Change.FLIPPED),
        ("linear", "-1", "1", Change.FLIPPED),
        ("linear", "-1", "-1.1", Change.GREW),
        ("linear", "0", "1", Change.GREW),
        ("linear", "0", "-1", Change.GREW),
        ("spot", "1", "0.995", Change.NONE),
        ("spot", "1", "0.98", Change.SHRANK),
        ("linear", "1", "0.995", Change.SHRANK),
    ],
)
def test_changes_that_our_fills_do_not_explain(
    product: str, expected: str, seen: str, change: Change
) -> None:
    assert judge_change(product, Decimal(expected), Decimal(seen)) is change
    words = change_words(change, Decimal(expected), Decimal(seen))
    assert bool(words) is (change is not Change.NONE)


def passes(*rows: tuple[int, str | None]) -> list[FlatRead]:
    return [
        FlatRead(
            began_ms,
            {KEY: Decimal(quantity)} if quantity is not None else {},
            {"linear": "timed out"} if quantity is None else {},
        )
        for began_ms, quantity in rows
    ]


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([(50, "0"), (51, "0"), (52, "0")], Flatness.FLAT),
        ([(0, "0"), (50, "0"), (51, "0")], Flatness.UNKNOWN),
        ([(0, "0"), (25, "0"), (49, "0"), (50, "0")], Flatness.UNKNOWN),
        ([(49, "0"), (50, "0"), (51, "0")], Flatness.UNKNOWN),
        ([(50, "0"), (51, None), (52, "0")], Flatness.UNKNOWN),
        ([(50, "0"), (51, None), (52, "0"), (53, "0")], Flatness.FLAT),
        ([(0, "3"), (49, "3"), (50, "0"), (51, "0"), (52, "0")], Flatness.FLAT),
        ([(50, "3"), (60, "0"), (61, "0"), (62, "0")], Flatness.UNKNOWN),
        ([(50, "3"), (100, "0"), (101, "0"), (102, "0")], Flatness.FLAT),
        ([(50, "0"), (51, "0"), (52, "-2")], Flatness.RESIDUAL),
        ([(50, "0.5"), (51, "0.5"), (52, "0.5")], Flatness.FLAT),
        ([], Flatness.UNKNOWN),
        ([(0, None), (50, None)], Flatness.UNKNOWN),
    ],
)
def test_flat_is_proved_by_readings_a_whole_horizon_after_the_last_order(
    rows: list[tuple[int, str | None]], state: Flatness
) -> None:
    judged = judge_flat(
        KEY,
        passes(*rows),
        not_before_ms=0,
        horizon_ms=50,
        required_reads=3,
        flat_below=Decimal("0.5"),
    )
    assert judged.state is state


def test_one_reading_is_never_enough() -> None:
    judged = judge_flat(KEY, passes((0, "0")), not_before_ms=0, horizon_ms=0, required_reads=1)
    assert judged.state is Flatness.UNKNOWN
