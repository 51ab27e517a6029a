"""Accounts, keys and money from outside: what `control` does to the ledger.

Promises: keys follow from the seed, so two runs have the same ones; money that arrives or leaves is
posted against the outside world and announced on the private streams.

Called by `control`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from resyncctl.simulator import spot_events, usdm_events
from resyncctl.simulator.events import Market
from resyncctl.simulator.ledger import Account, ApiKey
from resyncctl.simulator.numbers import ZERO, plain
from resyncctl.simulator.world import World

ALL_PERMISSIONS = ("READ", "TRADE")


def add_key(
    world: World, account: Account, api_key: str, secret: str, permissions: Iterable[str] | None
) -> ApiKey:
    """Give an account another key; what is not given follows from the seed."""
    number = world.next_number("api_key")
    made = ApiKey(
        api_key=api_key or _secret_text(world, "key", account.label, number),
        secret=secret or _secret_text(world, "secret", account.label, number),
        account=account.label,
        permissions=frozenset(permissions or ALL_PERMISSIONS),
    )
    world.ledger.keys[made.api_key] = made
    return made


def revoke_keys(world: World, label: str) -> int:
    """Make every key of the account invalid; return how many there were."""
    keys = world.ledger.keys
    mine = [key for key in keys.values() if key.account == label and not key.revoked]
    for key in mine:
        keys[key.api_key] = replace(key, revoked=True)
    world.changed()
    return len(mine)


def permit(world: World, api_key: str, permissions: Iterable[str]) -> None:
    """Change what a key may do, and restore it when it was revoked."""
    key = world.ledger.keys[api_key]
    world.ledger.keys[api_key] = replace(key, permissions=frozenset(permissions), revoked=False)
    world.changed()


def move_outside(
    world: World, account: Account, market: Market, asset: str, amount: Decimal
) -> None:
    """Bring money in (or, negative, take it out). Raise ValueError when there is too little."""
    if account.balance(market, asset).free + amount < ZERO:
        raise ValueError(f"{account.label} has less than {plain(-amount)} {asset} free")
    arrives = amount > 0
    # A futures wallet knows no deposits: money comes to it as a transfer.
    kind = ("DEPOSIT" if arrives else "WITHDRAW") if market == "spot" else "TRANSFER"
    world.ledger.post(
        account,
        market,
        asset,
        amount,
        kind=kind,
        now_ms=world.now_ms(),
        against="outside",
        reference=str(world.next_number("outside", 80_000_000)),
    )
    world.changed()
    if market == "spot":
        spot_events.tell_transfer(world, account, asset, amount)
        spot_events.tell_balances(world, account, [asset])
    else:
        reason = "DEPOSIT" if arrives else "WITHDRAW"
        usdm_events.tell_account(world, account, reason, [(asset, amount)], market=market)


def transfer(
    world: World, account: Account, asset: str, amount: Decimal, route: tuple[Market, Market]
) -> str:
    """Move money between two wallets of an account; return the transfer's number."""
    source, target = route
    if source == target:
        raise ValueError("a transfer needs two different wallets")
    if account.balance(source, asset).free < amount:
        raise ValueError(f"{account.label} has less than {plain(amount)} {asset} free")
    reference = world.ledger.move(account, asset, amount, route, world.now_ms())
    world.changed()
    for market, change in ((source, -amount), (target, amount)):
        if market == "spot":
            spot_events.tell_transfer(world, account, asset, change)
        else:
            reason = "DEPOSIT" if change > 0 else "WITHDRAW"
            usdm_events.tell_account(world, account, reason, [(asset, change)], market=market)
    return reference


def _secret_text(world: World, kind: str, account: str, number: int) -> str:
    text = f"practice/{world.seed}/{kind}/{account}/{number}"
    return hashlib.sha256(text.encode()).hexdigest()
