"""One test for each known trap, with the venue's real class and a scripted session.

A trap is proved by what leaves (the requests), by what comes back (the section or outcome), or by
the refusal. The last tests tie the table to this file, so that a trap cannot be added untested.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from resyncctl.adapters.venues.via_ccxt.coverage import covered_venues, not_covered
from resyncctl.adapters.venues.via_ccxt.generic_okx import ALGO_TYPES
from resyncctl.adapters.venues.via_ccxt.generic_plans import PLANNED
from resyncctl.adapters.venues.via_ccxt.loader import venue_class
from resyncctl.adapters.venues.via_ccxt.traps import (
    TRAPS,
    Handling,
    goes_single_file,
    mass_cancel_refusal,
    options_for,
    traps_of,
    without_hidden_writes,
)
from resyncctl.core.model import OrderClass, Scope
from resyncctl.core.mutation import OutcomeKind
from resyncctl.core.snapshot import Known, NotFound, OrderReference, Unknown, Window
from tests.adapters.venues.generic_kit import BODIES, NOW_MS, Opened, open_scripted, permit
from tests.adapters.venues.generic_samples import BYBIT_ORDER, bybit, kucoin, okx
from tests.adapters.venues.scripted import Say
from tests.adapters.venues.test_generic_cancels import an_order

Proof = Callable[[], Awaitable[None]]
PROOFS: dict[str, Proof] = {}


def proves(name: str) -> Callable[[Proof], Proof]:
    def keep(proof: Proof) -> Proof:
        assert name not in PROOFS
        PROOFS[name] = proof
        return proof

    return keep


def asked(opened: Opened, parameter: str) -> list[str]:
    return [str(one.params[parameter]) for one in opened.session.asked if parameter in one.params]


async def listed(opened: Opened, product: str, *, algo: bool = False) -> Any:
    scope = Scope(product, OrderClass.ALGO if algo else OrderClass.REGULAR)
    return await opened.view.read_open_orders(scope)


@proves("bybit-20-rows")
async def _() -> None:
    rows = [{**BYBIT_ORDER, "orderId": str(n)} for n in range(50)]
    pages = (Say(bybit(list(rows), "more")), Say(bybit([BYBIT_ORDER])), Say(bybit([])))
    opened = open_scripted("bybit", {"GET /v5/order/realtime": pages})
    section = await listed(opened, "linear")
    assert len(section.data) == 51
    assert set(asked(opened, "limit")) == {"50"}
    assert asked(opened, "cursor") == ["more"]
    await opened.view.close()


@proves("bybit-one-settle-coin")
async def _() -> None:
    opened = open_scripted("bybit")
    for product in ("spot", "linear", "inverse", "option"):
        await listed(opened, product)
    assert asked(opened, "settleCoin") == ["USDT", "USDC"]
    assert set(asked(opened, "category")) == {"spot", "linear", "inverse", "option"}
    await opened.view.close()


@proves("bybit-spot-triggers")
async def _() -> None:
    opened = open_scripted("bybit")
    await listed(opened, "spot", algo=True)
    assert set(asked(opened, "orderFilter")) == {
        "StopOrder",
        "tpslOrder",
        "OcoOrder",
        "BidirectionalTpslOrder",
    }
    await opened.view.close()


@proves("bybit-spot-mass-cancel")
async def _() -> None:
    opened = open_scripted("bybit")
    assert not opened.view.abilities(Scope("spot")).by_symbol
    outcome = await opened.view.cancel_symbol(Scope("spot"), "X", "X", permit())
    assert (outcome.kind, outcome.sent) == (OutcomeKind.REJECTED, False)
    assert opened.session.asked == []
    await opened.view.close()


@proves("bybit-account-probes")
async def _() -> None:
    opened = open_scripted("bybit")
    await listed(opened, "linear")
    await opened.view.read_balances("spot")
    await opened.view.cancel_order(an_order(Scope("linear"), "1"), permit())
    paths = {one.path for one in opened.session.asked}
    assert "/v5/user/query-api" not in paths
    assert "/v5/account/info" not in paths
    await opened.view.close()


@proves("bybit-unacknowledged-look-up")
async def _() -> None:
    nothing = bybit([])
    routes = {"GET /v5/order/realtime": nothing, "GET /v5/order/history": nothing}
    opened = open_scripted("bybit", routes)
    reference = OrderReference("linear", "BTC/USDT:USDT", "77", None, Scope("linear"))
    assert isinstance(await opened.view.look_up_order(reference), NotFound)
    assert [one.path for one in opened.session.asked] == [
        "/v5/order/realtime",
        "/v5/order/history",
    ]
    await opened.view.close()


async def _no_mass_cancel(venue: str, product: str) -> None:
    opened = open_scripted(venue)
    scope = Scope(product)
    assert not opened.view.abilities(scope).by_symbol
    assert opened.view.abilities(scope).single
    outcome = await opened.view.cancel_symbol(scope, "BTC/USD", "XBTUSD", permit())
    assert (outcome.kind, outcome.sent) == (OutcomeKind.REJECTED, False)
    assert mass_cancel_refusal(venue) in outcome.message
    assert opened.session.asked == []
    await opened.view.close()


@proves("okx-no-cancel-all")
async def _() -> None:
    await _no_mass_cancel("okx", "swap")


@proves("okx-100-rows")
async def _() -> None:
    row: Any = BODIES["okx"]["GET /api/v5/trade/orders-pending"]
    full = [{**row["data"][0], "ordId": str(n)} for n in range(100)]
    pages = (Say(okx(list(full))), Say(okx([])))
    opened = open_scripted("okx", {"GET /api/v5/trade/orders-pending": pages})
    section = await listed(opened, "spot")
    assert len(section.data) == 100
    assert asked(opened, "after") == ["99"]
    await opened.view.close()


@proves("okx-algo-types")
async def _() -> None:
    opened = open_scripted("okx")
    section = await listed(opened, "swap", algo=True)
    assert isinstance(section, Known)
    assert tuple(asked(opened, "ordType")) == ALGO_TYPES
    assert set(asked(opened, "instType")) == {"SWAP"}
    await opened.view.close()


@proves("okx-row-failures")
async def _() -> None:
    failed = okx([{"ordId": "1", "clOrdId": "", "sCode": "51400", "sMsg": "does not exist"}])
    opened = open_scripted("okx", {"POST /api/v5/trade/cancel-order": failed})
    outcome = await opened.view.cancel_order(an_order(Scope("spot"), "1", "BTC-USDT"), permit())
    assert outcome.kind is not OutcomeKind.ACKNOWLEDGED
    await opened.view.close()


@proves("kraken-cancel-all-ignores-symbol")
async def _() -> None:
    await _no_mass_cancel("kraken", "spot")


@proves("kraken-50-fills")
async def _() -> None:
    body: Any = BODIES["kraken"]["POST /0/private/TradesHistory"]
    short = {**body, "result": {**body["result"], "count": 2}}
    opened = open_scripted("kraken", {"POST /0/private/TradesHistory": short})
    section = await opened.view.read_fills("spot", Window(0, NOW_MS), ())
    assert isinstance(section, Unknown)
    assert asked(opened, "ofs") == ["0", "1"]
    await opened.view.close()


@proves("kraken-nonce")
async def _() -> None:
    opened = open_scripted("kraken")
    for _turn in range(3):
        await listed(opened, "spot")
    nonces = [int(nonce) for nonce in asked(opened, "nonce")]
    assert nonces == sorted(set(nonces))
    assert len(nonces) == 3
    assert opened.view.abilities(Scope("spot")).parallel == 1
    await opened.view.close()


@proves("hyperliquid-hidden-writes")
async def _() -> None:
    opened = open_scripted("hyperliquid", markets=False)
    opened.session.on("spotMetaAndAssetCtxs", Say([{"tokens": [], "universe": []}, []]))
    opened.session.on("metaAndAssetCtxs", Say([{"universe": []}, []]))
    opened.session.on("perpDexs", Say([None]))
    assert await opened.exchange.initialize_client() is True
    for scope in opened.view.profile.scopes:
        await opened.view.read_open_orders(scope)
    for product in ("perpetual", "spot"):
        await opened.view.read_positions(product)
        await opened.view.read_balances(product)
        await opened.view.read_fills(product, Window(0, NOW_MS), ())
    await opened.exchange.load_markets(True)
    assert {one.path for one in opened.session.asked} == {"/info"}
    await opened.view.close()
    told = open_scripted("hyperliquid")
    section = await listed(told, "perpetual")
    await told.view.cancel_order(section.data[0], permit())
    writes = [one for one in told.session.asked if one.path == "/exchange"]
    action: Any = writes[0].params["body"]
    assert len(writes) == 1
    assert action["action"] == {"type": "cancel", "cancels": [{"a": 1, "o": 8670487141}]}
    await told.view.close()


@proves("hyperliquid-no-cancel-all")
async def _() -> None:
    await _no_mass_cancel("hyperliquid", "perpetual")
    said = {"error": "Order was never placed, already canceled, or filled."}
    failed = {"type": "cancel", "data": {"statuses": [said]}}
    opened = open_scripted("hyperliquid")
    section = await listed(opened, "perpetual")
    opened.session.on("POST /exchange", Say({"status": "ok", "response": failed}))
    outcome = await opened.view.cancel_order(section.data[0], permit())
    assert outcome.kind is OutcomeKind.REJECTED
    assert outcome.already_gone
    await opened.view.close()


@proves("hyperliquid-other-dexes")
async def _() -> None:
    assert any("HIP-3" in gap.what for gap in not_covered("hyperliquid"))


@proves("deribit-writes-by-get")
async def _() -> None:
    opened = open_scripted("deribit")
    order = an_order(Scope("derivatives"), "ETH-349249", "BTC-PERPETUAL")
    outcome = await opened.view.cancel_order(order, permit())
    assert outcome.kind is OutcomeKind.ACKNOWLEDGED
    (sent,) = opened.session.asked
    assert (sent.method, sent.path) == ("GET", "/api/v2/private/cancel")
    (record,) = opened.egress.records
    assert record.kind == "cancel"
    assert opened.egress.desk.spent == {"intent-1"}
    with pytest.raises(Exception, match="may send"):
        await opened.exchange.privateGetBuy({"instrument_name": "BTC-PERPETUAL", "amount": 10})
    assert len(opened.session.asked) == 1
    await opened.view.close()


@proves("deribit-btc-only")
async def _() -> None:
    opened = open_scripted("deribit")
    await listed(opened, "derivatives")
    assert asked(opened, "currency") == ["BTC", "ETH", "USDC", "USDT", "EURR"]
    await opened.view.close()


@proves("deribit-two-archives")
async def _() -> None:
    opened = open_scripted("deribit")
    section = await opened.view.read_fills("derivatives", Window(NOW_MS - 10, NOW_MS), ())
    assert isinstance(section, Known)
    assert asked(opened, "historical") == ["true", "false"] * 5
    whole = await opened.view.read_fills("derivatives", Window(0, NOW_MS), ())
    assert isinstance(whole, Known)
    assert len({fill.trade_id for fill in whole.data}) == len(whole.data) == 1
    await opened.view.close()


@proves("deribit-units")
async def _() -> None:
    opened = open_scripted("deribit")
    section = await listed(opened, "derivatives")
    assert str(section.data[0].quantity.normalize()) == "0.0008"  # 40 USD at 50,000, not 400 USD
    await opened.view.close()


@proves("kucoin-50-rows")
async def _() -> None:
    opened = open_scripted("kucoin")
    await listed(opened, "spot")
    assert asked(opened, "pageSize") == ["500"]
    hidden: Any = kucoin([])
    hidden["data"]["totalNum"] = 3
    opened.session.on("GET /api/v1/orders", Say(hidden))
    assert isinstance(await listed(opened, "spot"), Unknown)
    await opened.view.close()


@proves("kucoin-stop-orders")
async def _() -> None:
    opened = open_scripted("kucoin")
    section = await listed(opened, "spot", algo=True)
    assert section.data[0].trigger_price is not None
    assert [one.path for one in opened.session.asked] == ["/api/v1/stop-order"]
    await opened.view.close()


@proves("kucoin-two-books")
async def _() -> None:
    opened = open_scripted("kucoin")
    named = {"code": "200000", "data": {"symbols": ["USDC-USDT"]}}
    opened.session.on("GET /api/v1/hf/orders/active/symbols", Say(named))
    section = await listed(opened, "spot")
    assert {order.venue_order_id for order in section.data} == {
        "63c97ce8d686c500015793bb",
        "6478cf1439bdfc0001528a1d",
    }
    fast = next(one for one in section.data if one.venue_order_id.startswith("6478"))
    outcome = await opened.view.cancel_order(fast, permit())
    assert outcome.kind is OutcomeKind.ACKNOWLEDGED
    sent = opened.session.asked[-1]
    assert sent.path == "/api/v1/hf/orders/6478cf1439bdfc0001528a1d"
    assert sent.params["symbol"] == "USDC-USDT"
    for wrong in ({"symbols": None}, {"symbols": [5]}, {}, None):
        silent = Say({"code": "200000", "data": wrong})
        opened.session.on("GET /api/v1/hf/orders/active/symbols", silent)
        assert isinstance(await listed(opened, "spot"), Unknown)
    await opened.view.close()


@proves("kucoin-mass-cancel")
async def _() -> None:
    await _no_mass_cancel("kucoin", "spot")


@proves("kucoinfutures-account-probe")
async def _() -> None:
    opened = open_scripted("kucoinfutures")
    await listed(opened, "futures")
    await opened.view.read_positions("futures")
    assert all("/ua/" not in one.path for one in opened.session.asked)
    assert opened.exchange.options["uta"] is False
    await opened.view.close()


@proves("gate-usdt-only")
async def _() -> None:
    opened = open_scripted("gate")
    for product in ("spot", "usdt-swap", "btc-swap"):
        await listed(opened, product)
    assert [one.path for one in opened.session.asked] == [
        "/api/v4/spot/open_orders",
        "/api/v4/futures/usdt/orders",
        "/api/v4/futures/btc/orders",
    ]
    await opened.view.close()


@proves("gate-100-rows")
async def _() -> None:
    row: Any = BODIES["gate"]["GET /api/v4/futures/usdt/orders"]
    full = [{**row[0], "id": n + 1} for n in range(100)]
    pages = (Say(full), Say(row))
    opened = open_scripted("gate", {"GET /api/v4/futures/usdt/orders": pages})
    section = await listed(opened, "usdt-swap")
    assert len(section.data) == 101
    assert asked(opened, "offset") == ["0", "100"]
    await opened.view.close()


@proves("gate-failed-elements")
async def _() -> None:
    await _no_mass_cancel("gate", "usdt-swap")


@proves("bitget-product-types")
async def _() -> None:
    opened = open_scripted("bitget")
    for product in ("usdt-futures", "usdc-futures", "coin-futures"):
        await listed(opened, product)
        await listed(opened, product, algo=True)
    assert set(asked(opened, "productType")) == {"USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES"}
    assert set(asked(opened, "planType")) == {"normal_plan", "track_plan", "profit_loss"}
    assert len(opened.session.asked) == 3 * (1 + 3)
    await opened.view.close()


@proves("bitget-100-rows")
async def _() -> None:
    body: Any = BODIES["bitget"]["GET /api/v2/spot/trade/unfilled-orders"]
    full = [{**body["data"][0], "orderId": str(n)} for n in range(100)]
    pages = (Say({**body, "data": full}), Say({**body, "data": []}))
    opened = open_scripted("bitget", {"GET /api/v2/spot/trade/unfilled-orders": pages})
    section = await listed(opened, "spot")
    assert len(section.data) == 100
    assert asked(opened, "idLessThan") == ["99"]
    await opened.view.close()


@proves("bitget-mass-cancel")
async def _() -> None:
    await _no_mass_cancel("bitget", "spot")


@proves("mexc-spot-per-symbol")
async def _() -> None:
    opened = open_scripted("mexc")
    section = await listed(opened, "spot")
    assert isinstance(section, Unknown)
    assert "symbol by symbol" in section.reason
    assert opened.session.asked == []
    await opened.view.close()


@proves("coinbase-no-cancel-all")
async def _() -> None:
    await _no_mass_cancel("coinbase", "spot")
    failed = {"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": "1"}
    opened = open_scripted(
        "coinbase", {"POST /api/v3/brokerage/orders/batch_cancel": {"results": [failed]}}
    )
    outcome = await opened.view.cancel_order(an_order(Scope("spot"), "1"), permit())
    assert outcome.kind is not OutcomeKind.ACKNOWLEDGED
    await opened.view.close()


@pytest.mark.parametrize("name", [trap.name for trap in TRAPS])
async def test_the_trap_is_handled_refused_or_declared(name: str) -> None:
    await PROOFS[name]()


def test_every_trap_has_its_proof_and_its_reasons() -> None:
    assert set(PROOFS) == {trap.name for trap in TRAPS}
    assert len(PROOFS) == len(TRAPS)
    for trap in TRAPS:
        assert trap.venue in PLANNED
        assert min(len(trap.goes_wrong), len(trap.source), len(trap.how)) > 10
        assert trap.handling in set(Handling)
    named = {"bybit", "okx", "kraken", "hyperliquid", "deribit", "kucoin", "gate", "bitget"}
    assert named <= {trap.venue for trap in TRAPS}


def test_what_traps_require_of_a_connection_comes_from_the_table() -> None:
    assert options_for("bybit") == {"enableUnifiedAccount": True, "enableUnifiedMargin": False}
    assert options_for("htx") == {}
    assert goes_single_file("kraken")
    assert not goes_single_file("okx")
    assert traps_of("bitfinex") == ()


def test_without_its_replacement_the_hook_would_sign_writes() -> None:
    plain = venue_class("hyperliquid")
    quiet = without_hidden_writes(plain)
    assert quiet is not plain
    assert issubclass(quiet, plain)
    assert quiet.initialize_client is not plain.initialize_client
    other = venue_class("kraken")
    assert without_hidden_writes(other) is other


def test_every_planned_venue_declares_its_blind_spots() -> None:
    assert set(covered_venues()) == set(PLANNED)
    everything = [gap for venue in (*PLANNED, "bitfinex") for gap in not_covered(venue)]
    assert all(gap.what and gap.reason for gap in everything)
    assert "ledger" in {gap.what for gap in not_covered("okx")}
    assert json.dumps([gap.what for gap in everything])
