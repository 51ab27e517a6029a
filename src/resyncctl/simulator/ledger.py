"""Who owns what on the practice exchange: accounts, wallets, and a double-entry book of postings.

Promises:
- every change of a wallet total is a posting with a kind and a reference, so a balance is exactly
  the sum of its postings;
- every posting has a counter posting: per asset, all wallets together with the counterparty
  ("house"), the fee box and the outside world add up to zero;
- locking moves an amount from free to locked and posts nothing.

Called by the engines (fills, funding, transfers) and by `control` (deposits); read by the dialects.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from resyncctl.simulator.events import Market
from resyncctl.simulator.numbers import ZERO
from resyncctl.simulator.versions import Versioned

Counterparty = Literal["house", "fees", "outside", "insurance"]
PositionSide = Literal["BOTH", "LONG", "SHORT"]


@dataclass(frozen=True)
class Balance:
    """What a wallet holds of one asset."""

    free: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Free and locked together: what the account owns."""
        return self.free + self.locked


@dataclass(frozen=True)
class Posting:
    """One entry in an account's book; `reference` names the trade, order or transfer."""

    number: int
    time_ms: int
    account: str
    market: Market
    asset: str
    amount: Decimal
    kind: str
    symbol: str
    reference: str
    counterparty: str


@dataclass(frozen=True)
class Position:
    """One leg of a futures position; the amount is negative for a short.

    The amount is in base units on USD-M and in contracts on COIN-M.
    """

    amount: Decimal = ZERO
    entry_price: Decimal = ZERO
    update_ms: int = 0


@dataclass(frozen=True)
class ApiKey:
    """A key of an account; a key without the permission "TRADE" may only read."""

    api_key: str
    secret: str
    account: str
    permissions: frozenset[str]
    revoked: bool = False


@dataclass(frozen=True)
class FeeRates:
    """What a fill costs, as parts of its notional; `asset` may name a discount asset (BNB)."""

    maker: Decimal
    taker: Decimal
    asset: str = ""


@dataclass
class Account:
    """One account with its spot, USD-M and COIN-M wallets. Changed only by ledger functions."""

    label: str
    number: int
    created_ms: int
    wallets: dict[Market, dict[str, Versioned[Balance]]] = field(
        default_factory=lambda: {"spot": {}, "usdm": {}, "coinm": {}}
    )
    positions: dict[tuple[str, PositionSide], Versioned[Position]] = field(default_factory=dict)
    fees: dict[Market, FeeRates] = field(
        default_factory=lambda: {
            "spot": FeeRates(Decimal("0.001"), Decimal("0.001")),
            "usdm": FeeRates(Decimal("0.0002"), Decimal("0.0005")),
            "coinm": FeeRates(Decimal("0.0001"), Decimal("0.0005")),
        }
    )
    hedge_mode: bool = False
    leverage: dict[str, int] = field(default_factory=dict)
    margin_type: dict[str, str] = field(default_factory=dict)
    locks: dict[str, tuple[str, Decimal]] = field(default_factory=dict)
    listen_keys: dict[Market, tuple[str, int]] = field(default_factory=dict)
    closed_to_trading: bool = False

    def balance(self, market: Market, asset: str) -> Balance:
        """Return the current balance, zero when the asset was never held."""
        versions = self.wallets[market].get(asset)
        return versions.now if versions is not None else Balance()

    def position(self, symbol: str, side: PositionSide) -> Position:
        """Return the current leg, flat when there never was one."""
        versions = self.positions.get((symbol, side))
        return versions.now if versions is not None else Position()


class Ledger:
    """The accounts and the book of all postings."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, ApiKey] = {}
        self.postings: list[Posting] = []
        self.by_account: dict[tuple[str, Market], list[Posting]] = {}
        self.counterparties: dict[tuple[str, str], Decimal] = {}

    def open_account(self, label: str, now_ms: int) -> Account:
        """Return a new empty account. Raise ValueError when the label is taken."""
        if label in self.accounts:
            raise ValueError(f"there is already an account named {label!r}")
        account = Account(label, len(self.accounts) + 1, now_ms)
        self.accounts[label] = account
        return account

    def account(self, label: str) -> Account:
        """Return the account. Raise LookupError when there is none of that name."""
        account = self.accounts.get(label)
        if account is None:
            raise LookupError(f"no account named {label!r}")
        return account

    def post(
        self,
        account: Account,
        market: Market,
        asset: str,
        amount: Decimal,
        *,
        kind: str,
        now_ms: int,
        against: str,
        symbol: str = "",
        reference: str = "",
    ) -> Posting | None:
        """Move an amount between the account's wallet and a counterparty; zero moves nothing."""
        if amount == 0:
            return None
        before = account.balance(market, asset)
        self._put(account, market, asset, Balance(before.free + amount, before.locked), now_ms)
        holder = (against, asset)
        self.counterparties[holder] = self.counterparties.get(holder, ZERO) - amount
        posting = Posting(
            number=len(self.postings) + 1,
            time_ms=now_ms,
            account=account.label,
            market=market,
            asset=asset,
            amount=amount,
            kind=kind,
            symbol=symbol,
            reference=reference,
            counterparty=against,
        )
        self.postings.append(posting)
        self.by_account.setdefault((account.label, market), []).append(posting)
        return posting

    def move(
        self,
        account: Account,
        asset: str,
        amount: Decimal,
        route: tuple[Market, Market],
        now_ms: int,
    ) -> str:
        """Transfer between two wallets of one account and return the transfer's reference."""
        source, target = route
        reference = str(90_000_000 + len(self.postings))
        for market, signed in ((source, -amount), (target, amount)):
            self.post(
                account,
                market,
                asset,
                signed,
                kind="TRANSFER",
                now_ms=now_ms,
                against="transit",
                reference=reference,
            )
        return reference

    def lock(self, account: Account, holder: str, asset: str, amount: Decimal, now_ms: int) -> None:
        """Set what the holder (an order or an order list) locks in the spot wallet.

        Locking again under the same holder replaces the earlier lock; zero releases it.
        """
        _, before = account.locks.get(holder, (asset, ZERO))
        balance = account.balance("spot", asset)
        if amount == before:
            return
        self._put(
            account,
            "spot",
            asset,
            Balance(balance.free + before - amount, balance.locked - before + amount),
            now_ms,
        )
        if amount == 0:
            account.locks.pop(holder, None)
        else:
            account.locks[holder] = (asset, amount)

    def place(
        self, account: Account, symbol: str, side: PositionSide, position: Position, now_ms: int
    ) -> None:
        """Set a leg."""
        versions = account.positions.get((symbol, side))
        if versions is None:
            account.positions[(symbol, side)] = Versioned(now_ms, position)
        else:
            versions.put(now_ms, position)

    def rows(self, label: str, market: Market) -> list[Posting]:
        """Return the account's postings in one wallet, oldest first."""
        return self.by_account.get((label, market), [])

    def imbalance(self) -> dict[str, Decimal]:
        """Return per asset what does not add up to zero: empty when the book is right."""
        sums: dict[str, Decimal] = {}
        for (_, asset), amount in self.counterparties.items():
            sums[asset] = sums.get(asset, ZERO) + amount
        for asset, total in _totals(self.accounts.values()):
            sums[asset] = sums.get(asset, ZERO) + total
        return {asset: amount for asset, amount in sums.items() if amount != 0}

    def _put(
        self, account: Account, market: Market, asset: str, balance: Balance, now_ms: int
    ) -> None:
        versions = account.wallets[market].get(asset)
        if versions is None:
            account.wallets[market][asset] = Versioned(now_ms, balance)
        else:
            versions.put(now_ms, balance)


def _totals(accounts: Iterable[Account]) -> Iterable[tuple[str, Decimal]]:
    for account in accounts:
        for wallet in account.wallets.values():
            for asset, balance in wallet.items():
                yield asset, balance.now.total
