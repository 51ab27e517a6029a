"""The convenience that makes a trading bot recoverable.

    with Recoverable(path, gate_file, account="main", exchange="binance") as state:
        order = NewOrder(client_id="bot-1", symbol="BTC/USDT", side="buy", ...)
        state.before_submit(order)          # durable, and refused while the gate is closed
        answer = exchange.create(order)     # your own code
        state.acknowledged("bot-1", exchange_id=answer.id)

`before_submit` writes the intent before the order leaves, so that no crash leaves an order at the
exchange of which nobody knows. Every other word (acknowledged, filled, cancelled, ...) is on disk
when its call returns; `batch` makes one write of several. All calls may come from several threads.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Self

from resyncctl.sdk.acknowledgement import Acknowledger
from resyncctl.sdk.canonical import JsonObject, JsonValue
from resyncctl.sdk.errors import CheckpointForeign, GateClosed, RecoveryError
from resyncctl.sdk.gate import Gate
from resyncctl.sdk.ledger import Execution
from resyncctl.sdk.state import AssetAmounts, EngineState, NewOrder
from resyncctl.sdk.writer import NEXT_WRITE_MS, CheckpointWriter, wall_clock_ms

_HEARTBEAT_MS = 10_000


class Recoverable:
    """One account's state of one engine: its checkpoint and its gate.

    `fallback` is None, or says that the newest checkpoint was damaged and an older one was used;
    the engine must then read everything from the exchange and call `declare_complete`, and until
    then its checkpoints say that they are not complete.

    Raises:
        WriterBusy: Another process of this engine is alive.
        CheckpointForeign: The checkpoint that is there belongs to another account.
        RecoveryError: The checkpoint that is there cannot be believed (see `CheckpointWriter`).
    """

    def __init__(
        self,
        checkpoint_path: str | os.PathLike[str],
        gate_file: str | os.PathLike[str],
        *,
        account: str,
        exchange: str,
        market_type: str = "spot",
        products: tuple[str, ...] | None = None,
        engine: str = "bot",
        version: str = "0",
        sandbox: bool = False,
        dry_run: bool = False,
        extra: Mapping[str, JsonValue] | None = None,
        allow_rollback: bool = False,
        start_anew: bool = False,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.gate = Gate(gate_file, account)
        self.silence = Acknowledger(
            gate_file, account, engine=engine, gate=self.gate, now_ms=now_ms
        )
        self._now_ms = now_ms
        self._lock = threading.RLock()
        self._batches = 0
        self._dirty = True
        self._account: JsonObject = {
            "exchange": exchange,
            "market_type": market_type,
            "account_ref": account,
            "sandbox": sandbox,
            "dry_run": dry_run,
        }
        self._engine: JsonObject = {
            "name": engine,
            "version": version,
            "instance_id": os.urandom(16).hex(),
            "pid": os.getpid(),
            "host": os.uname().nodename,
        }
        self._extra: JsonObject = dict(extra or {})
        own = products or (_default_product(market_type),)
        self._state = EngineState(market_type=market_type, products=own, fills_since_ms=now_ms())
        self._writer = CheckpointWriter(
            checkpoint_path, now_ms=now_ms, allow_rollback=allow_rollback, start_anew=start_anew
        )
        self.fallback: str | None = None
        self.resumed = self._writer.found is not None
        self._complete = True
        self._written_ms = 0
        try:
            self._resume()
        except BaseException:
            self._writer.close()
            raise

    def _resume(self) -> None:
        found = self._writer.found
        if found is None:
            self._state.as_of_ms = self._now_ms()
            return
        for key in ("exchange", "account_ref", "sandbox", "dry_run"):
            if found.account[key] != self._account[key]:
                raise CheckpointForeign(
                    f"{key} is {found.account[key]!r}, this engine has {self._account[key]!r}",
                    place=found.place,
                    hint="give every account and every mode a checkpoint of its own",
                )
        self._state.load(found.document)
        self.fallback = found.fallback
        self._complete = found.complete and found.fallback is None

    def __enter__(self) -> Self:
        self._save()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._save(clean_shutdown=not self._state.anything_in_the_air())
                self.silence.acknowledge()
            else:
                with contextlib.suppress(RecoveryError):
                    self._save()
        finally:
            self._writer.close()

    @property
    def orders(self) -> list[JsonObject]:
        """The orders that the engine knows, live ones and those that ended lately. A copy."""
        with self._lock:
            return [dict(row) for row in self._state.orders.values()]

    @property
    def positions(self) -> list[JsonObject] | None:
        """The positions, or None where they were never told. A copy."""
        with self._lock:
            rows = self._state.content().get("positions")
            return (
                [dict(row) for row in rows if isinstance(row, dict)]
                if isinstance(rows, list)
                else None
            )

    @property
    def event_cursor(self) -> JsonObject:
        """What the engine noted about the last event that it has applied."""
        with self._lock:
            return dict(self._state.cursor)

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Make one durable write of everything that is said inside; written also on an error."""
        with self._lock:
            self._batches += 1
            try:
                yield
            finally:
                self._batches -= 1
                if self._dirty:
                    self._save()

    def before_submit(self, order: NewOrder) -> None:
        """Write the intent durably. Only when this returns may the order be sent.

        Raises:
            GateClosed: The gate is not RUNNING; the order must not be sent.
            RecoveryError: The intent is not on disk; the order must not be sent.
        """
        self.gate.require()
        with self._lock:
            if self._batches:
                raise RecoveryError("an intent cannot wait for a batch: call it outside")
            self._state.add(order, self._now_ms())
            try:
                self._save()
                # The write takes a moment, and the gate may have closed meanwhile.
                self.silence.begin(order.client_id)
            except GateClosed:
                self.rejected(order.client_id)
                raise
            except BaseException:
                self._state.change(self._state.orders[order.client_id], "rejected", self._now_ms())
                raise

    def acknowledged(
        self, client_id: str, *, exchange_id: str, state: str = "open", at_ms: int | None = None
    ) -> None:
        """The exchange has accepted the order."""
        self._move(client_id, state, at_ms, exchange_id=exchange_id)

    def filled(
        self, fill: Execution, *, client_id: str | None = None, exchange_id: str | None = None
    ) -> bool:
        """Book one execution. Return False if it was booked before.

        An execution whose order the engine does not know is kept without an order.
        """
        with self._lock:
            row = self._state.order_of(fill, client_id, exchange_id)
            if row is not None:
                self.silence.ended(row["client_id"])
            told = {"order_exchange_id": exchange_id, "order_client_id": client_id}
            named: JsonObject = {key: value for key, value in told.items() if value is not None}
            booked = self._state.fill(row, fill, named)
            if booked:
                self._changed()
            return booked

    def triggered(self, client_id: str, *, exchange_id: str, at_ms: int | None = None) -> None:
        """A conditional order has become a regular order with an exchange id of its own."""
        self._move(client_id, "open", at_ms, exchange_id=exchange_id, order_class="regular")

    def cancel_requested(self, client_id: str) -> None:
        """A cancel is about to be sent."""
        self._move(client_id, "pending_cancel", None)

    def cancelled(self, client_id: str, *, at_ms: int | None = None) -> None:
        """The exchange says that the order is cancelled."""
        self._move(client_id, "canceled", at_ms)

    def expired(self, client_id: str, *, at_ms: int | None = None) -> None:
        """The exchange says that the order has expired."""
        self._move(client_id, "expired", at_ms)

    def rejected(self, client_id: str, *, at_ms: int | None = None) -> None:
        """The exchange has definitely refused the order, or it was never sent."""
        self._move(client_id, "rejected", at_ms)

    def unknown(self, client_id: str, *, until_ms: int | None = None) -> None:
        """Nobody knows what became of the order: it timed out, or the answer was not understood.

        The request has ended: nothing of the bot sends it any more. `until_ms` is the time after
        which the exchange refuses it, where the exchange knows such a thing (a receive window).
        """
        self._move(client_id, "unknown", None, until_ms=until_ms)

    def completed(self, client_id: str, *, at_ms: int | None = None) -> None:
        """The exchange says that the order is filled, whatever fills were seen so far."""
        self._move(client_id, "filled", at_ms)

    def set_balances(self, product: str, amounts: AssetAmounts, *, as_of_ms: int) -> None:
        """Note every balance of a product as the exchange has just reported it."""
        with self._lock:
            self._state.set_balances(product, amounts, as_of_ms)
            self._changed()

    def set_positions(self, product: str, rows: Iterable[Mapping[str, JsonValue]]) -> None:
        """Note every position of a product as the exchange has just reported it."""
        with self._lock:
            self._state.set_positions(product, rows)
            self._changed()

    def history_read(self, since_ms: int) -> None:
        """Say that every fill of the account since that time was booked with `filled`.

        Without it the checkpoint says that its fills begin when the engine first started, and a
        reconciliation that looks back further says that the window is not covered. Book history
        before positions and balances are set for the first time, for these then include it.
        """
        with self._lock:
            self._state.covers_since(since_ms)
            self._changed()

    def claim(
        self,
        owner: str,
        *,
        exchange_id: str | None = None,
        client_id: str | None = None,
        symbol: str | None = None,
        note: str = "",
        until_ms: int | None = None,
    ) -> None:
        """Say that an order which this engine does not list is known and belongs to `owner`."""
        selectors: dict[str, JsonValue] = {
            "exchange_id": exchange_id,
            "client_id": client_id,
            "symbol": symbol,
            "until_ms": until_ms,
        }
        told = {key: value for key, value in selectors.items() if value is not None}
        with self._lock:
            self._state.claims.append({"owner": owner, "note": note, **told})
            self._changed()

    def note_cursor(self, cursor: Mapping[str, JsonValue], *, as_of_ms: int) -> None:
        """Note how far the engine has followed the exchange's events."""
        with self._lock:
            self._state.cursor = dict(cursor)
            self._state.as_of_ms = max(self._state.as_of_ms, as_of_ms)
            self._dirty = True

    def declare_complete(self) -> None:
        """Say that the engine has read everything again after a fallback."""
        with self._lock:
            self._complete = True
            self._changed()

    def heartbeat(self) -> None:
        """Write if something is not written yet, or if the last write is ten seconds old.

        Behind a closed gate it also says that the bot is quiet, once every request has ended.
        """
        with self._lock:
            # A writer that lost its checkpoint to another one must not speak for it: write first.
            due = self.silence.due()
            if due or self._dirty or self._now_ms() - self._written_ms >= _HEARTBEAT_MS:
                self._save()
            if due:
                self.silence.acknowledge()

    def _move(
        self,
        client_id: str,
        state: str,
        at_ms: int | None,
        until_ms: int | None = None,
        **changes: JsonValue,
    ) -> None:
        with self._lock:
            row = self._state.find(client_id)
            if state != "pending_cancel":
                # Asking for a cancel does not end the request that created the order.
                self.silence.ended(client_id, until_ms=until_ms)
            self._state.change(row, state, self._now_ms() if at_ms is None else at_ms, **changes)
            self._changed()

    def _changed(self) -> None:
        self._dirty = True
        if not self._batches:
            self._save()

    def _save(self, *, clean_shutdown: bool = False) -> None:
        with self._lock:
            now_ms = self._now_ms()
            self._state.prune(now_ms)
            content: JsonObject = {
                **self._extra,
                **self._state.content(),
                "engine": self._engine,
                "account": self._account,
                "complete": self._complete,
                "clean_shutdown": clean_shutdown,
            }
            written = self._writer.write(content, next_write_ms=now_ms + NEXT_WRITE_MS)
            self._written_ms = written.written_ms
            self._dirty = False


def _default_product(market_type: str) -> str:
    return "linear" if market_type in {"swap", "future"} else market_type
