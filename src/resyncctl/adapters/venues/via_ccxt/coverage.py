"""What the generic profiles cannot see, in words for an operator, with the source of each.

Promise: every generic profile declares at least one place that it does not cover, so a
reconciliation through it is INCOMPLETE and never clean. The list is what a person must look at by
hand before trusting the account. Called by `generic` (into `VenueProfile.not_covered`) and by the
screens that show a venue.
"""

from collections.abc import Mapping

from resyncctl.core.snapshot import NotCovered

_EVERYWHERE = (
    NotCovered(
        "ledger",
        "funding, transfers and interest are not read by the generic profile, so a balance "
        "difference cannot be explained by them",
    ),
    NotCovered(
        "sub-accounts",
        "a key sees its own account only; other sub-accounts need an account entry of their own",
    ),
)

_BY_VENUE: Mapping[str, tuple[NotCovered, ...]] = {
    "bybit": (
        NotCovered(
            "contracts settled in other coins",
            "linear is read for USDT and USDC only (Bybit v5 order/realtime wants a settle coin)",
        ),
        NotCovered(
            "cancelling spot OCO orders",
            "they are listed; Bybit documents no cancel for them, so the TP/SL one is tried",
        ),
        NotCovered("bots, copy trading, pre-market", "these orders are not in order/realtime"),
    ),
    "okx": (
        NotCovered(
            "chase, grid, recurring and signal orders",
            "six algo order types are read; bots have services of their own (OKX v5 trading bot)",
        ),
        NotCovered("funding account", "only the trading account's balances are read"),
        NotCovered("spread and copy trading", "these have order books and listings of their own"),
    ),
    "kraken": (
        NotCovered("earn and staking", "BalanceEx mixes them under suffixed asset names"),
        NotCovered("OTC and conditional-close legs", "a leg appears only when its parent closes"),
    ),
    "krakenfutures": (
        NotCovered(
            "fills beyond the newest 100", "the fills endpoint shows 100 rows (Kraken Futures docs)"
        ),
        NotCovered(
            "look-up of one order",
            "Kraken asks for it by POST orders/status, which ccxt 4.5.90 sends as GET",
        ),
        NotCovered("holding wallet", "only the futures wallets of /accounts are read"),
    ),
    "kucoin": (
        NotCovered(
            "trades of unknown symbols",
            "trades of the high-frequency book are listed symbol by symbol (KuCoin hf/fills)",
        ),
        NotCovered("cross and isolated margin", "margin orders have endpoints of their own"),
        NotCovered("OCO orders", "they are listed by a separate service (KuCoin oco/orders)"),
    ),
    "kucoinfutures": (
        NotCovered(
            "balances settled in other coins", "account-overview is asked for USDT, XBT, ETH, USDC"
        ),
        NotCovered("cross-margin copy trading", "it has an account of its own"),
    ),
    "gate": (
        NotCovered(
            "delivery futures and options", "only spot and the USDT and BTC perpetuals are read"
        ),
        NotCovered("margin and unified account", "the classic spot account is read"),
        NotCovered("auto orders and trailing orders", "they are listed by a service of their own"),
    ),
    "bitget": (
        NotCovered("margin", "cross and isolated margin orders have endpoints of their own"),
        NotCovered("unified trading account", "API v3 accounts are not read by this profile"),
        NotCovered("look-up of plan orders", "a plan order can be listed, not asked for by its id"),
    ),
    "deribit": (
        NotCovered(
            "other currencies", "BTC, ETH, USDC, USDT and EURR are read, one call per currency"
        ),
        NotCovered("block trades and combos in progress", "requests for quote are not orders"),
    ),
    "hyperliquid": (
        NotCovered(
            "builder-deployed exchanges (HIP-3)",
            "open orders and positions are read for the default exchange only; each other `dex` "
            "is a separate listing (Hyperliquid info endpoint)",
        ),
        NotCovered("TWAP orders", "they are not in frontendOpenOrders"),
        NotCovered("vaults", "a vault's orders are under the vault's address"),
    ),
    "htx": (
        NotCovered(
            "futures and swaps", "HTX contracts use three dialects; only spot orders are read"
        ),
        NotCovered("conditional and trailing spot orders", "they are in the algo-orders service"),
        NotCovered("balances", "the balance endpoint needs an account id that is asked for first"),
    ),
    "mexc": (
        NotCovered(
            "spot orders and trades", "MEXC lists them symbol by symbol; no request asks for all"
        ),
        NotCovered("take-profit and stop-loss orders", "they are in the stoporder service"),
    ),
    "coinbase": (
        NotCovered("futures positions", "CFM and INTX positions are not read by this profile"),
        NotCovered("other portfolios", "a key sees one portfolio"),
    ),
    "cryptocom": (
        NotCovered("advanced orders (OCO, OTO, OTOCO)", "they are listed by a separate service"),
        NotCovered("isolated margin", "isolated positions have their own listing"),
    ),
}


def not_covered(venue: str) -> tuple[NotCovered, ...]:
    """Return what the generic profile of the venue does not see. Never empty."""
    known = _BY_VENUE.get(venue)
    if known is None:
        return (
            NotCovered(
                f"everything of {venue}",
                "this venue has no checked plan: no success envelope is known, paging is ccxt's "
                "own, and an empty answer proves nothing",
            ),
            *_EVERYWHERE,
        )
    return (*known, *_EVERYWHERE)


def covered_venues() -> tuple[str, ...]:
    """Return the venues that have a checked plan."""
    return tuple(sorted(_BY_VENUE))
