"""Make one ccxt instance that can only do what this program may do, and ask it things.

Promises: the instance speaks through a `GuardedSession`; ccxt's throttle, retries, float numbers
and clock are replaced by ours; nothing is requested by connecting. `ask` never raises for what an
exchange does: it returns the attempt, with the trouble in words.
Called by the venue profiles (`binance`, `generic`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from resyncctl.adapters.venues.via_ccxt.clock import VenueClock
from resyncctl.adapters.venues.via_ccxt.egress import Egress
from resyncctl.adapters.venues.via_ccxt.loader import venue_class
from resyncctl.adapters.venues.via_ccxt.permits import (
    Classifier,
    Endpoint,
    EndpointKind,
    lend,
)
from resyncctl.adapters.venues.via_ccxt.redaction import (
    HIDDEN,
    install_log_filter,
    redact,
    remember_secrets,
)
from resyncctl.adapters.venues.via_ccxt.session import PracticePlace, open_session, tls_context
from resyncctl.adapters.venues.via_ccxt.transport import (
    Attempt,
    GuardedSession,
    Phase,
    Shape,
    may_pass_any_shape,
    watching,
    words_for,
)
from resyncctl.core.errors import ConfigurationError
from resyncctl.core.mutation import Permit

REQUEST_TIMEOUT_MS = 10_000
SessionFactory = Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What signs requests. It never shows itself."""

    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    uid: str | None = field(default=None, repr=False)
    wallet_address: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Secrets({HIDDEN})"

    def values(self) -> tuple[str | None, ...]:
        """Return everything that must never be shown."""
        return (self.api_key, self.secret, self.password, self.private_key)

    def ccxt_config(self) -> dict[str, str]:
        """Return the keys as ccxt names them."""
        named = {
            "apiKey": self.api_key,
            "secret": self.secret,
            "password": self.password,
            "uid": self.uid,
            "walletAddress": self.wallet_address,
            "privateKey": self.private_key,
        }
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPlan:
    """Everything that makes a connection. `adapt` may subclass ccxt's class first.

    `account` is the account's name in the configuration, which a reducing order must name too.
    """

    venue: str
    secrets: Secrets
    egress: Egress
    clock: VenueClock
    classify: Classifier
    shape: Shape = may_pass_any_shape
    options: Mapping[str, object] = field(default_factory=dict)
    practice: PracticePlace | None = None
    testnet: bool = False
    session_factory: SessionFactory | None = None
    may_use_reserve: bool = False
    timeout_ms: int = REQUEST_TIMEOUT_MS
    adapt: Callable[[type[Any]], type[Any]] | None = None
    account: str = ""


@dataclass(slots=True)
class Connection:
    """One ccxt instance, its guarded session, and the clock that signs."""

    exchange: Any
    session: GuardedSession
    egress: Egress
    clock: VenueClock

    async def ask(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        *,
        permit: Permit | None = None,
    ) -> Attempt:
        """Call one implicit endpoint of ccxt and return what came of it. Never raises for that.

        The name of the method comes from this program's own tables, never from a user.
        """
        with watching() as attempts:
            error = await self._call(method, dict(params or {}), permit)
        if not attempts:
            return _never_tried(method, error)
        attempt = attempts[-1]
        if error is not None and attempt.trouble is None:
            attempt.trouble = redact(words_for(error))
        return attempt

    async def _call(
        self, method: str, params: dict[str, object], permit: Permit | None
    ) -> Exception | None:
        call = getattr(self.exchange, method)
        try:
            if permit is None:
                await call(params)
            else:
                with lend(permit):
                    await call(params)
        except Exception as error:  # noqa: BLE001  # ccxt's parsers raise anything; the attempt tells the truth
            return error
        return None

    async def close(self) -> None:
        """Release the connection. Safe to call twice."""
        await self.exchange.close()
        await self.session.close()


def connect(plan: ConnectionPlan) -> Connection:
    """Build the instance. Needs a running event loop; sends nothing.

    Raises:
        ConfigurationError: ccxt does not know the venue, or the practice exchange's authority file
            cannot be used.
    """
    install_log_filter()
    remember_secrets(plan.secrets.values())
    kind = venue_class(plan.venue)
    if plan.adapt is not None:
        kind = plan.adapt(kind)
    inner = plan.session_factory() if plan.session_factory else open_session(plan.practice)
    session = GuardedSession(
        inner,
        classify=plan.classify,
        shape=plan.shape,
        egress=plan.egress,
        may_use_reserve=plan.may_use_reserve,
        account=plan.account,
    )
    exchange = kind(
        {
            **plan.secrets.ccxt_config(),
            "session": session,
            "enableRateLimit": False,
            "timeout": plan.timeout_ms,
            "number": str,
            "options": {"warnOnFetchOpenOrdersWithoutSymbol": False, **plan.options},
        }
    )
    if plan.testnet:
        _enter_testnet(exchange)
    exchange.session = session
    exchange.ssl_context = False if plan.session_factory else _context(plan.practice)
    exchange.timeout_on_exit = 0
    exchange.on_json_response = _loads_text_numbers
    exchange.milliseconds = plan.clock.timestamp_ms
    return Connection(exchange, session, plan.egress, plan.clock)


def _enter_testnet(exchange: Any) -> None:
    """Point the instance at the venue's own test environment.

    Binance calls it demo trading and has closed its futures testnet.

    Raises:
        ConfigurationError: The venue has none.
    """
    try:
        if exchange.urls.get("demo"):
            exchange.enable_demo_trading(True)
        else:
            exchange.set_sandbox_mode(True)
    except Exception:  # noqa: BLE001  # ccxt raises several kinds for a world that it does not know
        raise ConfigurationError(
            f"{exchange.id} has no test environment that ccxt knows",
            hint="use the practice exchange: mode = practice",
        ) from None


def _context(practice: PracticePlace | None) -> Any:
    return tls_context(practice.ca_file if practice else None)


def _loads_text_numbers(text: str) -> object:
    """Decode JSON for ccxt's own parsers: fractions stay text, so no digit is lost on the way."""
    return json.loads(text, parse_float=str)


def _never_tried(method: str, error: Exception | None) -> Attempt:
    """Return an attempt for a call that ccxt itself refused, for example without a key."""
    endpoint = Endpoint(method, EndpointKind.UNLISTED, 0)
    attempt = Attempt(endpoint, "", "", "", Phase.REFUSED)
    name = type(error).__name__ if error is not None else "no request was made"
    attempt.trouble = f"the request was not made ({name})"
    attempt.cause = error
    return attempt


__all__ = [
    "Connection",
    "ConnectionPlan",
    "Secrets",
    "SessionFactory",
    "connect",
]
