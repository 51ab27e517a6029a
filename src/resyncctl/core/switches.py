"""What is known about the countdowns that this host armed at an exchange.

A dead-man switch cancels orders when its countdown ends, so one that nobody remembers kills the
fresh quotes of a resumed engine. Promises: a countdown is forgotten only when the exchange
acknowledged that it was stopped by a request that no earlier arming can outlive, or when its time
has certainly passed; whatever the journal does not settle counts as armed. It is never evidence
about orders. Pure; called by `procedures.dead_man_switch` and by whoever opens a gate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from resyncctl.core.mutation import OutcomeKind

ARM = "arm_switch"
DISARM = "disarm_switch"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchTarget:
    """One countdown: of a symbol, or of a whole account where `venue_symbol` is None."""

    product: str
    symbol: str
    venue_symbol: str | None = None

    @property
    def words(self) -> str:
        """How a report names it."""
        return f"{self.product} {self.symbol}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedSwitch:
    """A countdown that runs, or may run. It cannot run any more after `fires_by_ms`.

    `certain` is False when it is not known whether the exchange has it. `lands_by_ms` is the last
    moment at which the request that armed it could still reach the exchange, None when the
    exchange has answered it.
    """

    target: SwitchTarget
    fires_by_ms: int
    certain: bool = True
    lands_by_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchState:
    """Where the switches of an account stand.

    `armed` run for certain, `unresolved` may run. `notes` say in words what has no switch and what
    went wrong; a missing switch is no trouble, because it is only a backstop.
    """

    armed: tuple[ArmedSwitch, ...] = ()
    unresolved: tuple[ArmedSwitch, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def fires_by_ms(self) -> int | None:
        """The moment after which none of them can run any more, None when none may run."""
        every = (*self.armed, *self.unresolved)
        return max((one.fires_by_ms for one in every), default=None)

    def blocks_resume(self, now_ms: int) -> bool:
        """Whether an engine that resumes now might lose its orders to one of them."""
        return any(one.fires_by_ms > now_ms for one in (*self.armed, *self.unresolved))


class JournalRecord(Protocol):
    """What is needed of one journal record."""

    @property
    def event(self) -> str:
        """Its kind."""
        ...

    @property
    def details(self) -> Mapping[str, object]:
        """Its content."""
        ...


@dataclass(slots=True)
class _Request:
    """One arming or stop. `place` and `answered` are the positions of its records."""

    action: str
    target: SwitchTarget
    place: int
    at_ms: int
    lands_by_ms: int
    fires_by_ms: int
    outcome: OutcomeKind | None = None
    answered: int | None = None


def switch_details(
    account: str,
    target: SwitchTarget,
    *,
    countdown_ms: int,
    at_ms: int,
    lands_by_ms: int,
    fires_by_ms: int,
) -> dict[str, object]:
    """Return what the journal keeps of an arming, or of a stop (a countdown of zero)."""
    return {
        "account": account,
        "product": target.product,
        "symbol": target.symbol,
        "venue_symbol": target.venue_symbol,
        "countdown_ms": countdown_ms,
        "at_ms": at_ms,
        "lands_by_ms": lands_by_ms,
        "fires_by_ms": fires_by_ms,
    }


def unresolved_switches(
    records: Iterable[JournalRecord], account: str, now_ms: int
) -> tuple[ArmedSwitch, ...]:
    """Given journal records of this host, oldest first, return the countdowns that may still run.

    Records of several runs may be handed in one after the other. A record that cannot be read as a
    countdown of this account is passed over.
    """
    requests = _requests(records, account)
    found: dict[SwitchTarget, ArmedSwitch] = {}
    for request in requests:
        if request.action == DISARM:
            continue
        if request.outcome is OutcomeKind.REJECTED or request.fires_by_ms <= now_ms:
            continue
        if any(_stops(later, request) for later in requests):
            continue
        known = found.get(request.target)
        if known is None or known.fires_by_ms < request.fires_by_ms:
            certain = request.outcome is OutcomeKind.ACKNOWLEDGED
            found[request.target] = ArmedSwitch(
                target=request.target,
                fires_by_ms=request.fires_by_ms,
                certain=certain,
                lands_by_ms=None if certain else request.lands_by_ms,
            )
    return tuple(found.values())


def _stops(stop: _Request, arming: _Request) -> bool:
    """Whether the exchange took a stop that this arming cannot come after."""
    taken = stop.action == DISARM and stop.outcome is OutcomeKind.ACKNOWLEDGED
    if not taken or stop.target != arming.target:
        return False
    if arming.outcome is OutcomeKind.ACKNOWLEDGED and arming.answered is not None:
        return stop.place > arming.answered
    return stop.place > arming.place and stop.at_ms >= arming.lands_by_ms


def _requests(records: Iterable[JournalRecord], account: str) -> list[_Request]:
    found: list[_Request] = []
    by_intent: dict[object, _Request] = {}
    for place, record in enumerate(records):
        intent_id = record.details.get("intent_id")
        if record.event == "intent":
            request = _request(record.details, account, place)
            if request is not None:
                found.append(request)
                by_intent[intent_id] = request
        elif record.event == "outcome" and intent_id in by_intent:
            by_intent[intent_id].outcome = _kind(record.details.get("kind"))
            by_intent[intent_id].answered = place
    return found


def _kind(value: object) -> OutcomeKind | None:
    try:
        return OutcomeKind(str(value))
    except ValueError:
        return None


def _request(intent: Mapping[str, object], account: str, place: int) -> _Request | None:
    action, details = intent.get("action"), intent.get("details")
    if action not in {ARM, DISARM} or not isinstance(details, Mapping):
        return None
    if details.get("account") != account:
        return None
    times = [details.get(name) for name in ("at_ms", "lands_by_ms", "fires_by_ms")]
    at_ms, lands_by_ms, fires_by_ms = times
    if not (
        isinstance(at_ms, int) and isinstance(lands_by_ms, int) and isinstance(fires_by_ms, int)
    ):
        return None
    name = details.get("venue_symbol")
    target = SwitchTarget(
        product=str(details.get("product")),
        symbol=str(details.get("symbol")),
        venue_symbol=None if name is None else str(name),
    )
    return _Request(str(action), target, place, at_ms, lands_by_ms, fires_by_ms)
