"""The known traps of the venues behind ccxt, each with what this adapter does about it.

Promise: no trap is passed silently. A trap is HANDLED (the code does the safe thing), REFUSED (the
act is not offered, and the reason is told), or DECLARED (the place is named as not covered, so the
verdict can never be clean). What the traps require of a connection is read from this table and
from nowhere else: the options that keep ccxt from hidden probes, the classes without hidden
writes, the venues whose requests must not overtake one another, and the mass cancels that are
refused.

Sources are named with each entry; "measured" means that the real class was run against a scripted
or loopback server. Called by `generic_open`, `generic` and the tests, one test for each trap.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Handling(StrEnum):
    """What is done about a trap."""

    HANDLED = "handled"
    REFUSED = "refused"
    DECLARED = "declared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """One way in which a venue, or ccxt's idea of it, misleads.

    `options` are ccxt options that defuse it. `refuses_mass_cancel` and `single_file` are read by
    the code: the venue's mass cancel is not offered, its requests go one at a time.
    """

    name: str
    venue: str
    goes_wrong: str
    source: str
    handling: Handling
    how: str
    options: Mapping[str, object] = field(default_factory=dict)
    refuses_mass_cancel: bool = False
    single_file: bool = False


_H, _R, _D = Handling.HANDLED, Handling.REFUSED, Handling.DECLARED

TRAPS: tuple[Trap, ...] = (
    Trap(
        name="bybit-20-rows",
        venue="bybit",
        goes_wrong="the open order listing shows 20 rows by default",
        source="Bybit v5 order/realtime; ccxt issues 8441, 16638, 16800, 22887",
        handling=_H,
        how="50 rows to a page along the venue's cursor until it is blank",
    ),
    Trap(
        name="bybit-one-settle-coin",
        venue="bybit",
        goes_wrong="without a symbol ccxt asks for linear contracts settled in USDT only",
        source="measured with ccxt 4.5.90; Bybit v5 order/realtime",
        handling=_H,
        how="linear is asked for with USDT and USDC, inverse, spot and option on their own",
    ),
    Trap(
        name="bybit-spot-triggers",
        venue="bybit",
        goes_wrong="spot listings and mass cancels leave out stop, TP/SL and OCO orders",
        source="Bybit v5 order/cancel-all; ccxt issues 13075, 18857",
        handling=_H,
        how="spot/algo lists each order filter, and a cancel repeats the filter of its listing",
    ),
    Trap(
        name="bybit-spot-mass-cancel",
        venue="bybit",
        goes_wrong="cancel-all on spot without a filter cancels plain orders only",
        source="Bybit v5 order/cancel-all",
        handling=_R,
        how="cancel by symbol is offered for linear and inverse only",
    ),
    Trap(
        name="bybit-account-probes",
        venue="bybit",
        goes_wrong="ccxt asks user/query-api and account/info before private calls",
        source="measured with ccxt 4.5.90",
        handling=_H,
        how="native endpoints are called and the unified flags are preset",
        options={"enableUnifiedAccount": True, "enableUnifiedMargin": False},
    ),
    Trap(
        name="bybit-unacknowledged-look-up",
        venue="bybit",
        goes_wrong="fetchOrder raises unless `acknowledged` is passed, and knows 500 orders",
        source="ccxt 4.5.90 bybit.fetch_order",
        handling=_H,
        how="order/realtime is asked first, then order/history, both natively",
    ),
    Trap(
        name="okx-no-cancel-all",
        venue="okx",
        goes_wrong="there is no cancel-all; mass-cancel is for option market makers only",
        source="OKX v5 trade/mass-cancel; ccxt issue 4118",
        handling=_R,
        how="orders are listed and cancelled one by one",
        refuses_mass_cancel=True,
    ),
    Trap(
        name="okx-100-rows",
        venue="okx",
        goes_wrong="pending orders stop at 100 rows and ccxt's paging sends an unknown parameter",
        source="OKX v5 trade/orders-pending; measured with ccxt 4.5.90",
        handling=_H,
        how="pages follow the order id (`after`) until a page is short",
    ),
    Trap(
        name="okx-algo-types",
        venue="okx",
        goes_wrong="`trigger: True` lists one of six algo order types",
        source="OKX v5 trade/orders-algo-pending",
        handling=_H,
        how="each order type is listed on its own, for each instrument type",
    ),
    Trap(
        name="okx-row-failures",
        venue="okx",
        goes_wrong="a failed cancel comes with code 0 outside and an sCode in the row",
        source="OKX v5 trade/cancel-order; measured with ccxt 4.5.90",
        handling=_H,
        how="every row's sCode is part of the envelope, and the row must name the order",
    ),
    Trap(
        name="kraken-cancel-all-ignores-symbol",
        venue="kraken",
        goes_wrong="cancelAllOrders(symbol) cancels the whole account",
        source="ccxt issue 26926",
        handling=_R,
        how="orders are listed and cancelled one by one",
        refuses_mass_cancel=True,
    ),
    Trap(
        name="kraken-50-fills",
        venue="kraken",
        goes_wrong="TradesHistory shows 50 rows and ccxt drops the count",
        source="Kraken REST TradesHistory; measured with ccxt 4.5.90",
        handling=_H,
        how="pages follow the offset until the venue's own count is reached",
    ),
    Trap(
        name="kraken-nonce",
        venue="kraken",
        goes_wrong="a nonce that does not increase is refused, and repeated ones lock the key",
        source="Kraken REST authentication; ccxt issues 22971, 5110, 253",
        handling=_H,
        how="requests go one at a time with a strictly increasing nonce; use a key of its own",
        single_file=True,
    ),
    Trap(
        name="hyperliquid-hidden-writes",
        venue="hyperliquid",
        goes_wrong="ccxt signs a builder fee approval and a referrer before the first call",
        source="ccxt issues 26420, 29040, 29281; ccxt 4.5.90 hyperliquid.initialize_client",
        handling=_H,
        how="the hook is replaced, and the transport refuses any action but a single cancel",
        options={"builderFee": False, "refSet": True, "approvedBuilderFee": False},
    ),
    Trap(
        name="hyperliquid-no-cancel-all",
        venue="hyperliquid",
        goes_wrong="there is no cancel-all, and one failed item hides the others of a batch",
        source="ccxt pull requests 22257, 22204; measured with ccxt 4.5.90",
        handling=_R,
        how="orders are listed and cancelled one by one",
        refuses_mass_cancel=True,
        single_file=True,
    ),
    Trap(
        name="hyperliquid-other-dexes",
        venue="hyperliquid",
        goes_wrong="open orders and positions of builder-deployed exchanges are separate listings",
        source="Hyperliquid info endpoint, parameter `dex`",
        handling=_D,
        how="named in `coverage`",
    ),
    Trap(
        name="deribit-writes-by-get",
        venue="deribit",
        goes_wrong="orders and cancels go out as GET requests, which libraries repeat silently",
        source="measured with ccxt 4.5.90; aiohttp's idempotent methods",
        handling=_H,
        how="the endpoint table lists reads by name; the session never repeats a request",
    ),
    Trap(
        name="deribit-btc-only",
        venue="deribit",
        goes_wrong="without a symbol ccxt asks for BTC only",
        source="ccxt 4.5.90 deribit.fetch_open_orders; ccxt issue 26913",
        handling=_H,
        how="each currency is asked for on its own; further currencies are declared",
    ),
    Trap(
        name="deribit-two-archives",
        venue="deribit",
        goes_wrong="trades older than a day are left out unless `historical` is asked for",
        source="Deribit API v2, parameter `historical` of the trade listings",
        handling=_H,
        how="both archives are asked for every currency, and a trade shown twice is one",
    ),
    Trap(
        name="deribit-units",
        venue="deribit",
        goes_wrong="ccxt's contract size (10) must not be applied to amounts in US dollars",
        source="Deribit API: `amount` is in USD for inverse contracts, else in base units",
        handling=_H,
        how="quantities are read in the venue's unit and inverse ones divided by the price",
    ),
    Trap(
        name="kucoin-50-rows",
        venue="kucoin",
        goes_wrong="listings show 50 rows by default",
        source="KuCoin orders; measured with ccxt 4.5.90",
        handling=_H,
        how="500 rows to a page up to the venue's page count, checked against its row count",
    ),
    Trap(
        name="kucoin-stop-orders",
        venue="kucoin",
        goes_wrong="stop orders are not among the active orders",
        source="KuCoin stop-order; ccxt issue 12729",
        handling=_H,
        how="spot/algo and futures/algo are scopes of their own",
    ),
    Trap(
        name="kucoin-two-books",
        venue="kucoin",
        goes_wrong="orders of the high-frequency book are listed and cancelled apart, by symbol",
        source="KuCoin hf/orders/active, hf/orders/active/symbols; ccxt 4.5.90 wants a symbol",
        handling=_H,
        how="the venue names the symbols, each is listed, and a cancel goes to the same book",
    ),
    Trap(
        name="kucoin-mass-cancel",
        venue="kucoin",
        goes_wrong="a cancel by symbol leaves margin, high-frequency and stop orders",
        source="KuCoin orders; measured with ccxt 4.5.90",
        handling=_R,
        how="orders are listed and cancelled one by one",
        refuses_mass_cancel=True,
        options={"uta": False},
    ),
    Trap(
        name="kucoinfutures-account-probe",
        venue="kucoinfutures",
        goes_wrong="ccxt asks for the account mode (weight 60) before private calls",
        source="measured with ccxt 4.5.90",
        handling=_H,
        how="native endpoints are called and the flag is preset",
        options={"uta": False},
        refuses_mass_cancel=True,
    ),
    Trap(
        name="gate-usdt-only",
        venue="gate",
        goes_wrong="without a symbol ccxt asks for spot, or for contracts settled in USDT",
        source="measured with ccxt 4.5.90; Gate futures/{settle}/orders",
        handling=_H,
        how="spot, USDT and BTC contracts are products of their own; the others are declared",
        options={"unifiedAccount": False},
    ),
    Trap(
        name="gate-100-rows",
        venue="gate",
        goes_wrong="contract orders stop at 100 rows",
        source="Gate futures/{settle}/orders; measured with ccxt 4.5.90",
        handling=_H,
        how="pages follow the offset until a page is short",
    ),
    Trap(
        name="gate-failed-elements",
        venue="gate",
        goes_wrong="ccxt drops the failed elements of a mass cancel",
        source="measured with ccxt 4.5.90",
        handling=_R,
        how="orders are cancelled one by one, and the answer must name the order",
        refuses_mass_cancel=True,
    ),
    Trap(
        name="bitget-product-types",
        venue="bitget",
        goes_wrong="ccxt asks for USDT-FUTURES only, and for plan orders of one kind",
        source="Bitget v2 mix/order/orders-pending, orders-plan-pending; measured with ccxt 4.5.90",
        handling=_H,
        how="three product types times three plan kinds are listed",
    ),
    Trap(
        name="bitget-100-rows",
        venue="bitget",
        goes_wrong="listings stop at 100 rows",
        source="Bitget v2 order listings; measured with ccxt 4.5.90",
        handling=_H,
        how="pages follow the order id (`idLessThan`) until a page is short",
    ),
    Trap(
        name="bitget-mass-cancel",
        venue="bitget",
        goes_wrong="the spot mass cancel is asynchronous and its answer names the symbol only",
        source="Bitget v2 spot/trade/cancel-symbol-order",
        handling=_R,
        how="orders are listed and cancelled one by one",
        refuses_mass_cancel=True,
        options={"uta": False},
    ),
    Trap(
        name="mexc-spot-per-symbol",
        venue="mexc",
        goes_wrong="spot orders cannot be listed over all symbols",
        source="MEXC spot v3 openOrders: `symbol` is mandatory",
        handling=_R,
        how="the scope answers unknown with this reason",
        refuses_mass_cancel=True,
    ),
    Trap(
        name="coinbase-no-cancel-all",
        venue="coinbase",
        goes_wrong="there is no cancel-all; the batch answer carries failures per order",
        source="Coinbase Advanced Trade orders/batch_cancel; ccxt 4.5.90",
        handling=_R,
        how="orders are cancelled one by one, and the result must be a success of that order",
        refuses_mass_cancel=True,
    ),
)


def traps_of(venue: str) -> tuple[Trap, ...]:
    """Return the known traps of a venue."""
    return tuple(trap for trap in TRAPS if trap.venue == venue)


def options_for(venue: str) -> dict[str, object]:
    """Return the ccxt options that defuse the venue's traps."""
    return {name: value for trap in traps_of(venue) for name, value in trap.options.items()}


def goes_single_file(venue: str) -> bool:
    """Whether the venue's requests must not overtake one another."""
    return any(trap.single_file for trap in traps_of(venue))


def mass_cancel_refusal(venue: str) -> str:
    """Return why everything on a symbol is not cancelled by one request at this venue."""
    for trap in traps_of(venue):
        if trap.refuses_mass_cancel:
            return trap.goes_wrong
    return "the profile does not offer it for this kind of order"


def mass_cancel_is_refused(venue: str) -> bool:
    """Whether a trap forbids mass cancels at this venue altogether."""
    return any(trap.refuses_mass_cancel for trap in traps_of(venue))


def without_hidden_writes(exchange_class: type[Any]) -> type[Any]:
    """Return the class without ccxt's hook that signs writes of its own before other calls.

    Hyperliquid's `initialize_client` approves a builder fee and sets a referrer. `builderFee:
    False` would still send an approval at 0 %, so the hook itself is replaced.
    """
    if not hasattr(exchange_class, "initialize_client"):
        return exchange_class

    async def initialize_client(_self: Any) -> bool:
        return True

    name = exchange_class.__name__
    return type(name, (exchange_class,), {"initialize_client": initialize_client})
