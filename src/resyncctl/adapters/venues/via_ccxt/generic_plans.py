"""The plans by venue, each imported only when it is asked for. Called by `generic`."""

from dataclasses import replace
from importlib import import_module

from resyncctl.adapters.venues.via_ccxt.coverage import not_covered
from resyncctl.adapters.venues.via_ccxt.generic_plan import VenuePlan

_PLACES = {
    "bitget": ("generic_bitget", "PLAN"),
    "bybit": ("generic_bybit", "PLAN"),
    "coinbase": ("generic_others", "COINBASE"),
    "cryptocom": ("generic_others", "CRYPTOCOM"),
    "deribit": ("generic_deribit", "PLAN"),
    "gate": ("generic_gate", "PLAN"),
    "htx": ("generic_others", "HTX"),
    "hyperliquid": ("generic_hyperliquid", "PLAN"),
    "kraken": ("generic_kraken", "PLAN"),
    "krakenfutures": ("generic_krakenfutures", "PLAN"),
    "kucoin": ("generic_kucoin", "SPOT_PLAN"),
    "kucoinfutures": ("generic_kucoin", "FUTURES_PLAN"),
    "mexc": ("generic_others", "MEXC"),
    "okx": ("generic_okx", "PLAN"),
}

PLANNED = tuple(sorted(_PLACES))
"""The venues that have a plan."""


def plan_for(venue: str) -> VenuePlan | None:
    """Return the plan of the venue with what it does not cover, or None when there is no plan."""
    place = _PLACES.get(venue)
    if place is None:
        return None

    module = import_module(f"{__package__}.{place[0]}")
    plan: VenuePlan = getattr(module, place[1])
    return replace(plan, not_covered=not_covered(venue))
