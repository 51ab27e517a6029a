"""The price path of the practice exchange.

Promises: the mid price of a symbol is a pure function of the seed, the symbol's name, the time and
the holds that were set before that time. It is exact, on the tick grid and above zero. Spot and
USD-M symbols of one name, and the inverse contracts of the same coin, share one path, so that their
prices never drift apart. Nothing reads a
clock: the time is always an argument.

The path is a sum of five slow and fast waves of seeded noise, each interpolated between lattice
points; it wanders by at most two percent around the anchor price, and any time can be asked for
without walking there.

Called by matching (fills against the mid), by `books` (synthetic depth) and by the control plane
(`hold`, `freeze`).
"""

import hashlib
from bisect import bisect_right, insort
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from resyncctl.simulator.catalogue import Catalogue, Market, SymbolRow

MID_EVERY_MS = 1_000

# How long one wave lasts, in mid buckets, and how far it may lift the price, in millionths.
_WAVES = ((1, 20), (16, 120), (256, 600), (4_096, 3_000), (65_536, 12_000))
_MILLION = 1_000_000
_NOISE_RANGE = 1 << 32


@dataclass(frozen=True)
class _Hold:
    """From this time on the price is held there, or (None) follows the path again."""

    from_ms: int
    price: Decimal | None


@dataclass(frozen=True)
class _Freeze:
    """From this time on every path stands where it was at that time, or (None) moves again."""

    from_ms: int
    at_ms: int | None


class PricePath:
    """The mid prices of every symbol of one catalogue."""

    def __init__(self, catalogue: Catalogue, seed: int = 0) -> None:
        self._catalogue = catalogue
        self._seed = seed
        self._holds: dict[tuple[Market, str], list[_Hold]] = {}
        self._freezes: list[_Freeze] = []

    def mid(self, market: Market, symbol: str, now_ms: int) -> Decimal:
        """Return the mid price at that time. Raise `KeyError` for a symbol that is not listed."""
        row = self._catalogue.rows(market)[symbol]
        holds = self._holds.get((market, symbol))
        if holds:
            place = bisect_right(holds, now_ms, key=lambda hold: hold.from_ms)
            held = holds[place - 1].price if place else None
            if held is not None:
                return held
        return _path_price(row, self._seed, self._path_ms(now_ms) // MID_EVERY_MS)

    def hold(self, market: Market, symbol: str, price: Decimal | None, now_ms: int) -> None:
        """From now on the mid price stays at `price`, rounded to the tick grid; None ends a hold.

        Raise `KeyError` for a symbol that is not listed, `ValueError` for a price that is not
        above zero.
        """
        row = self._catalogue.rows(market)[symbol]
        held = None if price is None else _on_grid(price, row.tick)
        insort(
            self._holds.setdefault((market, symbol), []),
            _Hold(now_ms, held),
            key=lambda hold: hold.from_ms,
        )

    def freeze(self, at_ms: int | None, now_ms: int) -> None:
        """From now on every path stands where it was at `at_ms`; None lets all move again.

        A held price stays held: a hold is a word about one symbol, a freeze about the path.
        """
        insort(self._freezes, _Freeze(now_ms, at_ms), key=lambda freeze: freeze.from_ms)

    def _path_ms(self, now_ms: int) -> int:
        if not self._freezes:
            return now_ms
        place = bisect_right(self._freezes, now_ms, key=lambda freeze: freeze.from_ms)
        frozen_ms = self._freezes[place - 1].at_ms if place else None
        return now_ms if frozen_ms is None else frozen_ms


def _on_grid(price: Decimal, tick: Decimal) -> Decimal:
    if not price.is_finite() or price <= 0:
        raise ValueError(f"a held price must be above zero, not {price}")
    return max((price / tick).to_integral_value(rounding=ROUND_HALF_EVEN) * tick, tick)


def _path_price(row: SymbolRow, seed: int, bucket: int) -> Decimal:
    anchor_ticks = int(row.anchor_price / row.tick)
    lift = _lift(seed, row.path, bucket)
    ticks = anchor_ticks * (_MILLION + lift) // _MILLION
    return max(ticks, 1) * row.tick


@lru_cache(maxsize=16_384)
def _lift(seed: int, name: str, bucket: int) -> int:
    """Return how far the price stands from its anchor, in millionths."""
    total = 0
    for length, reach in _WAVES:
        place, along = divmod(bucket, length)
        before = noise(seed, name, length, place)
        after = noise(seed, name, length, place + 1) if along else before
        blended = before + (after - before) * along // length
        total += (2 * blended - _NOISE_RANGE) * reach // _NOISE_RANGE
    return total


@lru_cache(maxsize=65_536)
def noise(seed: int, name: str, wave: int, place: int) -> int:
    """Return a seeded number in [0, 2**32), the same on every machine and in every process."""
    key = f"{seed}/{name}/{wave}/{place}".encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=4).digest(), "big")
