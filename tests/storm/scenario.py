"""What happens in one seed of the storm: drawn once, then a value that can be kept and replayed.

Promises: a seed and a profile always give the same scenario; a scenario is JSON-ready both ways, so
a failing one is kept as a file and replays without the dice. Called by `campaign`, by the tests and
by whoever reads a kept seed.
"""

import random
from dataclasses import asdict, dataclass, fields
from typing import Any

ACCOUNTS = ("one_way", "hedge", "spot", "mixed")
"""Kinds of account: USD-M one-way, USD-M hedge, spot alone, spot with USD-M one-way."""

PROGRAMS = ("cancel_all", "resync", "resume", "flatten")
"""What the first operator runs. The second one runs `cancel_all` or `resync` beside it."""

ENGINES = ("honest", "honest", "honest", "late", "late", "absent", "absent", "rogue")
"""`honest` stops at the closed gate and says so; `late` does too, but its last requests land as
late as the exchange honours them; `rogue` never says anything and goes on sending; `absent` never
sent."""

BREAKING = (
    "request_lost",
    "request_delayed",
    "request_duplicated",
    "answer_lost",
    "answer_reset",
    "answer_truncated",
    "answer_never",
    "answer_slow",
    "body_html",
    "body_empty",
    "body_object",
    "body_null",
    "body_error_in_200",
    "body_cut",
    "body_wrong_type",
    "body_extra_fields",
    "unknown_503",
    "unavailable_503",
    "internal_503",
    "throttled_1008",
    "code_1000",
    "code_1001",
    "code_1006",
    "code_1007",
    "bad_gateway_502",
    "server_error_500",
    "gateway_timeout_504",
    "backend_timeout_408",
    "limited_429",
    "clock_refused",
    "page_duplicate",
    "page_unstable",
    "cancel_pretended",
    "mass_cancel_partial",
    "late_fill_before_cancel",
    "late_fill_after_cancel",
    "reduce_only_refused",
    "order_filled",
)
"""Kinds that break a request or an answer, or that are an event of the account."""

LYING = ("body_list", "page_truncated", "page_hole", "stale_listing", "body_other_account")
"""Kinds that give a valid answer that is not true. A seed has at most one of them: two lies about
one order at the same moment are more than a protocol of reads can promise to see through."""

HIDING = frozenset({*LYING, "page_unstable"})
"""Kinds after which one reading may lack what rests, without anything that shows it."""

EXECUTED = frozenset({"code_1000", "code_1006", "code_1007", "unknown_503", "backend_timeout_408"})
"""Errors after which the exchange may have done it all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How bad a campaign is: the rate of each kind of fault per request, and how many kinds."""

    name: str
    rate: float
    kinds: int
    engines: tuple[str, ...] = ENGINES
    lags: bool = True


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(name="calm", rate=0.0, kinds=0),
        Profile(name="storm", rate=0.04, kinds=6),
        Profile(name="rogue", rate=0.0, kinds=0, engines=("rogue",)),
        Profile(name="harsh", rate=0.10, kinds=6, engines=("honest", "late", "late", "rogue")),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One seed. Times are milliseconds of virtual time; `lag_mode` "" means fresh replicas."""

    seed: int
    profile: str
    account: str
    program: str
    second: str
    engine: str
    orders: int
    symbols: int
    faults: tuple[str, ...] = ()
    rate: float = 0.0
    executed: bool = False
    lag_mode: str = ""
    lag_ms: int = 0
    skew_ms: int = 0
    latency_ms: int = 0
    cron: bool = False
    store_trouble: bool = False
    fills: tuple[int, ...] = ()
    foreign: tuple[int, ...] = ()
    funding: tuple[int, ...] = ()
    second_after_ms: int = 0
    protective: str = "cancel"
    countdown: bool = False
    takes_over: bool = False
    holdings_lag: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it for a file."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Scenario":
        """Return the scenario of a file; fields that the file does not have keep their default."""
        known = {one.name for one in fields(cls)}
        given: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in document.items()
            if key in known
        }
        return cls(**given)


def draw(seed: int, profile: Profile) -> Scenario:
    """Draw a scenario. Every draw is made in every profile, so that seeds can be compared."""
    dice = random.Random(f"storm/{seed}")
    account = dice.choice(ACCOUNTS)
    program = dice.choice(PROGRAMS)
    engine = dice.choice(profile.engines)
    lag_ms = dice.choice((0, 0, 2_000, 10_000, 30_000, 44_000))
    breaking = dice.sample(BREAKING, max(0, profile.kinds - 1))
    lying = dice.choice(LYING)
    return Scenario(
        seed=seed,
        profile=profile.name,
        account=account,
        program=program,
        second=dice.choice(("", "", "cancel_all", "resync")),
        engine=engine,
        orders=dice.randint(0, 10),
        symbols=dice.randint(1, 3),
        faults=(*breaking, lying) if profile.kinds else (),
        rate=profile.rate,
        executed=dice.random() < 0.5,
        lag_mode=dice.choice(("steady", "missing_new", "showing_old", "flapping"))
        if lag_ms and profile.lags
        else "",
        lag_ms=lag_ms if profile.lags else 0,
        skew_ms=dice.choice((0, 0, 0, 40, -40, 200, -200)),
        latency_ms=dice.choice((0, 5, 20, 120, 400)),
        cron=dice.random() < 0.2,
        store_trouble=profile.kinds > 0 and dice.random() < 0.1,
        fills=_moments(dice, 3, 60_000),
        foreign=_moments(dice, 2, 8_000) if dice.random() < 0.3 else (),
        funding=_moments(dice, 2, 60_000) if dice.random() < 0.2 else (),
        second_after_ms=dice.randint(0, 20_000),
        protective=dice.choice(("cancel", "keep")),
        countdown=dice.random() < 0.5,
        takes_over=dice.random() < 0.5,
        holdings_lag=dice.random() < 0.5,
    )


def _moments(dice: random.Random, most: int, until_ms: int) -> tuple[int, ...]:
    return tuple(sorted(dice.randint(0, until_ms) for _ in range(dice.randint(0, most))))
