"""Replay documented answers of real venues through vcrpy, under the real ccxt classes.

Nothing is ever recorded here: the mode is "none", so a request that no cassette holds is an error.
Matching leaves out what differs from run to run (timestamps, nonces, signatures); everything else
of the method, host, path, query and body must be what the cassette says.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import vcr

from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.open_venue import Secrets, Venue, VenueOptions, open_venue
from tests.adapters.venues.generic_kit import MARKETS, set_markets
from tests.fakes.fake_clock import FakeClock

CASSETTES = Path(__file__).parents[2] / "cassettes"
CHANGING = frozenset({"timestamp", "signature", "recvWindow", "nonce"})
KEPT_HEADERS = frozenset({"content-type"})
CANARY_KEY = "canary-key-of-the-cassettes"
CANARY_SECRET = "Y2FuYXJ5LXNlY3JldC1vZi10aGUtY2Fzc2V0dGVzLWxvbmctZW5vdWdo"
CANARY_PASSWORD = "canary-pass-of-the-cassettes"


def stable(text: str) -> list[tuple[str, str]]:
    """Return the parameters of a query or form, without those that change, in order of name."""
    pairs = parse_qsl(text, keep_blank_values=True)
    return sorted(pair for pair in pairs if pair[0] not in CHANGING)


def stable_query(left: Any, right: Any) -> None:
    assert stable(urlsplit(left.uri).query) == stable(urlsplit(right.uri).query)


def stable_body(left: Any, right: Any) -> None:
    assert _content(left.body) == _content(right.body)


def _content(body: Any) -> Any:
    text = body.decode() if isinstance(body, bytes) else body or ""
    return json.loads(text) if text[:1] in {"{", "["} else stable(text)


def player() -> vcr.VCR:
    """Return a player that can only replay."""
    made = vcr.VCR(
        cassette_library_dir=str(CASSETTES),
        record_mode="none",
        decode_compressed_response=True,
        match_on=["method", "scheme", "host", "path", "stable_query", "stable_body"],
    )
    made.register_matcher("stable_query", stable_query)
    made.register_matcher("stable_body", stable_body)
    return made


@contextmanager
def playing(name: str) -> Iterator[Any]:
    """Replay one cassette; every answer in it must be used."""
    with player().use_cassette(f"{name}.yaml") as cassette:
        yield cassette
    assert cassette.all_played, f"{name} holds answers that nobody asked for"


def open_on(
    venue: str, clock: FakeClock, session_factory: Callable[[], Any] | None = None
) -> Venue:
    """Open a venue through the product's own door; the network is vcrpy's."""
    opened = open_venue(
        VenueOptions(
            account="desk-a",
            venue=venue,
            secrets=Secrets(api_key=CANARY_KEY, secret=CANARY_SECRET, password=CANARY_PASSWORD),
            clock=clock,
            session_factory=session_factory,
            egress=Egress(clock),
            may_load_markets=False,
        )
    )
    if venue in MARKETS:
        view: Any = opened.view
        set_markets(view._exchange, MARKETS[venue])
    return opened
