"""What opening an account needs, and what it gives. Shared by `open_venue` and the profiles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from resyncctl.adapters.venues.via_ccxt.connect import Secrets, SessionFactory
from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.session import PracticePlace
from resyncctl.core.model import Scope
from resyncctl.ports.powers import DeadManSwitch, VenueCancel, VenueReduce
from resyncctl.ports.views import Clock, MarketView, VenueView

Mode = Literal["live", "testnet", "practice"]


class Account(VenueView, VenueCancel, Protocol):
    """What a profile gives: one object that views and cancels."""


class Abilities(VenueReduce, MarketView, DeadManSwitch, Protocol):
    """What a profile may give besides: one object that reduces, tells prices and counts down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOptions:
    """Everything that opening an account needs.

    `scopes` empty means every scope that the profile knows. `may_load_markets` False keeps the way
    to a cancel free of the table of instruments: only a table on disk is used. `may_use_reserve`
    lets the reads of a cancel run spend the part of the request budget that is kept for them.
    `on_wait` is told how many milliseconds a read waits for request weight.
    `session_factory` replaces the network, and `egress` the process-wide way out, in tests.
    """

    account: str
    venue: str
    secrets: Secrets
    clock: Clock
    scopes: Sequence[Scope] = ()
    mode: Mode = "live"
    practice: PracticePlace | None = None
    request_validity_ms: int = 5_000
    staleness_horizon_ms: int | None = None
    request_timeout_ms: int = 10_000
    cache_dir: Path | None = None
    may_load_markets: bool = True
    may_use_reserve: bool = False
    on_wait: Callable[[int], None] | None = field(default=None, repr=False)
    session_factory: SessionFactory | None = field(default=None, repr=False)
    egress: Egress | None = field(default=None, repr=False)
