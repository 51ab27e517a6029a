"""ccxt's market table of a generic venue, kept on disk so that a cron run asks for nothing.

Promise: a table is used only when it was written by this format for this ccxt, venue and world; a
file that is damaged, foreign or too old is as good as none; a cache that cannot be written is no
trouble for anybody. Only what naming and sizing need is kept, never an account's data.

Called by `generic_instruments`.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from resyncctl.adapters.venues.via_ccxt.loader import ccxt_version
from resyncctl.ports.views import Clock

FORMAT = 1
KEPT_MS = 24 * 3_600_000
_KEPT = (
    "id",
    "symbol",
    "base",
    "quote",
    "settle",
    "baseId",
    "quoteId",
    "settleId",
    "baseName",
    "type",
    "spot",
    "margin",
    "swap",
    "future",
    "option",
    "contract",
    "linear",
    "inverse",
    "contractSize",
    "active",
    "altname",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketCache:
    """Where one venue's table lies. `world` tells live from testnet and practice."""

    venue: str
    world: str
    directory: Path
    clock: Clock

    @property
    def path(self) -> Path:
        """The file of this venue and world."""
        return self.directory / f"generic-markets-{self.venue}-{self.world}.json"

    def read(self, *, any_age: bool) -> list[dict[str, Any]] | None:
        """Return the kept rows, or None when there is no table that can be used.

        `any_age` is for the way to a cancel, where an old name is better than none.
        """
        try:
            document = orjson.loads(self.path.read_bytes())
            age_ms = self.clock.now_ms() - int(document["fetched_ms"])
            written_by = (document["format"], document["ccxt"], document["venue"])
            if written_by != (FORMAT, ccxt_version(), self.venue):
                return None
            if not any_age and not 0 <= age_ms <= KEPT_MS:
                return None
            rows = [dict(row) for row in document["markets"]]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = all(isinstance(row.get("id"), str) and row.get("symbol") for row in rows)
        return rows if rows and whole else None

    def write(self, markets: Iterable[Mapping[str, Any]]) -> None:
        """Write the table in one step, or not at all."""
        document = {
            "format": FORMAT,
            "ccxt": ccxt_version(),
            "venue": self.venue,
            "fetched_ms": self.clock.now_ms(),
            "markets": [{key: row[key] for key in _KEPT if key in row} for row in markets],
        }
        beside = self.path.with_suffix(f".{os.getpid()}.new")
        with suppress(OSError):
            self.directory.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(orjson.dumps(document))
            beside.replace(self.path)
        with suppress(OSError):
            beside.unlink(missing_ok=True)
