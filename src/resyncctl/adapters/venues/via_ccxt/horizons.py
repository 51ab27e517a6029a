"""How long a listing may lag behind the matching engine, and where that number comes from.

Promise: every profile names its horizon together with the source of it, and one that nobody
documents says that it is assumed. Called by the venue profiles.
"""

SET_BY_HAND = "set by policy.staleness_horizon in the configuration"

BINANCE_MS = 45_000
BINANCE_SOURCE = (
    "the longest reported lag of an open-orders listing and a margin: more than 20 s (freqtrade"
    " issue 3649), 30 to 40 s (python-binance issue 690)"
)
"""Listings were also seen to answer differently from one call to the next (binance-api-postman
issue 102)."""

PLANNED_MS = 60_000
PLANNED_SOURCE = (
    "assumed: this exchange documents none, so it is the longest lag reported for any exchange"
    " (40 s, python-binance issue 690) and half as much again"
)

UNPLANNED_MS = 120_000
UNPLANNED_SOURCE = (
    "assumed: nothing is known of this exchange, so it is twice what the exchanges with a plan get"
)


def lengthened(own_ms: int, source: str, wanted_ms: int) -> tuple[int, str]:
    """Return the longer of the profile's own horizon and the one that was set, with its source."""
    return (wanted_ms, SET_BY_HAND) if wanted_ms > own_ms else (own_ms, source)
