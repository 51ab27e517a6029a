"""How an engine says: I have seen that the gate is closed, and nothing of mine is under way.

A proof that no order rests is worthless while the engine still sends. The engine writes this file
next to its gate file (`gate.json.silence`): which move of the gate it has seen, since when it has
been quiet, and until when its last request can take effect. The tool believes it only while it is
whole, young, of this account and about the gate as it stands now.

The order of things is the whole point: stop sending first, acknowledge afterwards. `Acknowledger`
makes that order the only one. A request is counted before the gate is asked, both under one lock,
and nothing is acknowledged while a request is counted. `Recoverable` does all of it by itself.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from resyncctl.sdk.canonical import JsonObject, read_sealed, sealed_bytes
from resyncctl.sdk.durable import read_bounded, replace_durably
from resyncctl.sdk.errors import FormatError, Unwritable
from resyncctl.sdk.gate import Gate, GateStatus
from resyncctl.sdk.writer import wall_clock_ms

SILENCE_SCHEMA = "resync.silence/1"
REFRESH_MS = 5_000
"""How often a quiet engine says so again. The tool wants it younger than a minute by default."""
_SIZE_LIMIT = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What an engine said about its silence.

    The three `gate_` values name the one move of the gate that it had seen. `quiet_since_ms` is
    when it first had nothing under way behind that closed gate, `requests_end_ms` the time after
    which nothing that it ever sent can take effect any more as far as it knows, None when this
    life of it has sent nothing.
    """

    account: str
    gate_sequence: int
    gate_since_ms: int
    gate_run_id: str
    quiet_since_ms: int
    requests_end_ms: int | None
    acknowledged_ms: int
    engine: str
    pid: int

    def is_about(self, gate: GateStatus) -> bool:
        """Whether this speaks of the gate as it stands."""
        seen = (self.account, self.gate_sequence, self.gate_since_ms, self.gate_run_id)
        return seen == (gate.account, gate.sequence, gate.since_ms, gate.run_id)


def acknowledgement_file(gate_file: str | os.PathLike[str]) -> Path:
    """Return where the engine that reads this gate file acknowledges."""
    path = Path(gate_file)
    return path.with_name(f"{path.name}.silence")


def read_acknowledgement(gate_file: str | os.PathLike[str], account: str) -> Acknowledgement:
    """Return what the engine acknowledged last.

    Raises:
        FileNotFoundError: It never acknowledged anything.
        OSError: The file cannot be read.
        FormatError: The file is corrupt, another account's, or anybody could have written it.
    """
    found = read_bounded(acknowledgement_file(gate_file), _SIZE_LIMIT)
    if found.mode & 0o002:
        raise FormatError("it is writable by everybody")
    document, _ = read_sealed(found.data)
    if document.get("schema") != SILENCE_SCHEMA:
        raise FormatError(f"unknown schema {str(document.get('schema'))[:60]!r}")
    read = Acknowledgement(
        account=_text(document, "account"),
        gate_sequence=_whole(document, "gate_sequence"),
        gate_since_ms=_whole(document, "gate_since_ms"),
        gate_run_id=_text(document, "gate_run_id"),
        quiet_since_ms=_whole(document, "quiet_since_ms"),
        requests_end_ms=None
        if document.get("requests_end_ms") is None
        else _whole(document, "requests_end_ms"),
        acknowledged_ms=_whole(document, "acknowledged_ms"),
        engine=_text(document, "engine"),
        pid=_whole(document, "pid"),
    )
    if read.account != account:
        raise FormatError(f"it is the engine of {read.account[:60]!r}, not of {account!r}")
    return read


class Acknowledger:
    """Counts an engine's requests, and says that it is quiet when it is.

    One for each gate file, in the one process that sends. `trouble` says why the last
    acknowledgement could not be written, None when it could.

        silence = Acknowledger("gate.json", "main")
        with silence.sending():                  # raises GateClosed while nothing may be sent
            exchange.create(order)
        silence.acknowledge()                    # every round; writes only when it is true
    """

    def __init__(
        self,
        gate_file: str | os.PathLike[str],
        account: str,
        *,
        engine: str = "bot",
        gate: Gate | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.trouble: str | None = None
        self._place = acknowledgement_file(gate_file)
        self._account = account
        self._engine = engine
        self._gate = gate or Gate(gate_file, account)
        self._now_ms = now_ms
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._under_way: set[object] = set()
        self._requests_end_ms: int | None = None
        self._quiet_since_ms: int | None = None
        self._written: tuple[GateStatus, int] | None = None

    @contextlib.contextmanager
    def sending(self, *, valid_ms: int = 0) -> Iterator[None]:
        """Hold this around every request that creates or changes an order.

        `valid_ms` is how long after its end the exchange may still let it take effect.

        Raises:
            GateClosed: The gate is not RUNNING; nothing may be sent.
        """
        request = object()
        self.begin(request)
        try:
            yield
        finally:
            self.ended(request, until_ms=self._now_ms() + valid_ms)

    def begin(self, request: object) -> None:
        """Count a request that is about to be sent. `request` is its name: a client order id.

        Raises:
            GateClosed: The gate is not RUNNING; nothing may be sent.
        """
        with self._lock:
            self._gate.require()
            self._under_way.add(request)
            self._quiet_since_ms = None

    def ended(self, request: object, *, until_ms: int | None = None) -> None:
        """A request was answered, or was given up and can take effect until `until_ms`."""
        with self._lock:
            if request not in self._under_way:
                return
            self._under_way.discard(request)
            end_ms = max(self._now_ms(), until_ms or 0)
            self._requests_end_ms = max(self._requests_end_ms or 0, end_ms)

    def due(self) -> bool:
        """Whether there is a silence to acknowledge that was not acknowledged just now."""
        with self._lock:
            return self._quiet_gate() is not None

    def acknowledge(self) -> bool:
        """Say that the engine is quiet, if it is. Never raises; return whether it is on disk."""
        with self._lock:
            now_ms = self._now_ms()
            gate = self._quiet_gate()
            if gate is None:
                return self._written is not None and self._written[0] == self._gate.status()
            quiet_since_ms = self._quiet_since_ms if self._quiet_since_ms is not None else now_ms
            self._quiet_since_ms = quiet_since_ms
            try:
                replace_durably(self._place, self._bytes(gate, quiet_since_ms, now_ms), mode=0o644)
            except (Unwritable, FormatError) as trouble:
                self.trouble = trouble.message
                return False
            self.trouble = None
            self._written = (gate, now_ms)
            return True

    def _quiet_gate(self) -> GateStatus | None:
        """The closed gate that is to be acknowledged now, None when there is none."""
        gate = self._gate.status()
        if gate.permits_orders or not gate.trusted:
            # An open gate ends the silence; a gate file that cannot be believed has no number.
            self._quiet_since_ms, self._written = None, None
            return None
        if self._under_way or os.getpid() != self._pid:
            return None
        if self._written is None or self._written[0] != gate:
            return gate
        age_ms = self._now_ms() - self._written[1]
        return gate if not 0 <= age_ms < REFRESH_MS else None

    def _bytes(self, gate: GateStatus, quiet_since_ms: int, now_ms: int) -> bytes:
        document: JsonObject = {
            "schema": SILENCE_SCHEMA,
            "account": self._account,
            "gate_sequence": gate.sequence,
            "gate_since_ms": gate.since_ms,
            "gate_run_id": gate.run_id,
            "quiet_since_ms": quiet_since_ms,
            "requests_end_ms": self._requests_end_ms,
            "acknowledged_ms": now_ms,
            "engine": self._engine,
            "pid": self._pid,
        }
        return sealed_bytes(document)[0]


def _text(document: JsonObject, key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise FormatError(f"{key} is {value!r:.60}, expected text")
    return value


def _whole(document: JsonObject, key: str) -> int:
    value = document.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FormatError(f"{key} is {value!r:.60}, expected a whole number from 0")
    return value
