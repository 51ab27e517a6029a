"""Every profile names how long its listings may lag, and where that number comes from."""

import pytest

from resyncctl.adapters.venues.via_ccxt.generic_plans import PLANNED
from resyncctl.adapters.venues.via_ccxt.horizons import (
    BINANCE_MS,
    BINANCE_SOURCE,
    PLANNED_MS,
    SET_BY_HAND,
    UNPLANNED_MS,
)
from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets, VenueOptions, open_venue
from resyncctl.ports.views import VenueProfile
from tests.adapters.venues.scripted import ScriptedSession
from tests.fakes.fake_clock import FakeClock

UNPLANNED = "bitfinex"
BINANCE = ("binance", "binanceusdm", "binancecoinm")
SECRETS = Secrets(api_key="k", secret="c2VjcmV0", wallet_address="0x" + "1" * 40)
LONGEST_REPORTED_MS = 40_000


async def profile_of(venue: str, horizon_ms: int | None = None) -> VenueProfile:
    asked = VenueOptions(
        account="main",
        venue=venue,
        secrets=SECRETS,
        clock=FakeClock(),
        staleness_horizon_ms=horizon_ms,
        session_factory=ScriptedSession,
    )
    async with open_venue(asked) as opened:
        return opened.view.profile


@pytest.mark.parametrize("venue", [*BINANCE, *PLANNED, UNPLANNED])
async def test_a_profile_names_its_horizon_and_its_source(venue: str) -> None:
    profile = await profile_of(venue)
    assert profile.staleness_horizon_ms > LONGEST_REPORTED_MS
    if venue in BINANCE:
        assert (profile.staleness_horizon_ms, profile.horizon_source) == (
            BINANCE_MS,
            BINANCE_SOURCE,
        )
        assert "issue" in profile.horizon_source
    else:
        assert profile.horizon_source.startswith("assumed: "), "nobody documents it"
        assert not profile.deep


@pytest.mark.parametrize("venue", [*BINANCE, *PLANNED, UNPLANNED])
async def test_a_horizon_can_be_set_longer(venue: str) -> None:
    profile = await profile_of(venue, 300_000)
    assert (profile.staleness_horizon_ms, profile.horizon_source) == (300_000, SET_BY_HAND)


@pytest.mark.parametrize("venue", [*PLANNED, UNPLANNED])
async def test_an_assumed_horizon_cannot_be_shortened(venue: str) -> None:
    profile = await profile_of(venue, 1_000)
    assert profile.staleness_horizon_ms in {PLANNED_MS, UNPLANNED_MS}
    assert profile.horizon_source != SET_BY_HAND


async def test_the_deep_profile_can_be_set_either_way() -> None:
    profile = await profile_of("binance", 6_000)
    assert (profile.staleness_horizon_ms, profile.horizon_source) == (6_000, SET_BY_HAND)


async def test_a_profile_says_what_it_can_reduce_and_count_down() -> None:
    profile = await profile_of("binance")
    assert set(profile.reduces) == {"spot", "linear"}
    assert set(profile.switches) == {"linear"}
    assert (await profile_of(UNPLANNED)).reduces == ()
