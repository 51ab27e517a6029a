"""The faults that are armed, and the ledger of those that fired.

Promises: a fault fires on the requests that its `where` (and account) name, after `skip` of them
and at most `times` times; every firing leaves a row that says whether it changed anything that the
client or the venue's truth can show. Order of firing is order of arming.

Called by `control` (arming) and `pipeline` (taking and recording).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from resyncctl.simulator.calls import Endpoint

FOREVER = 10**9
STREAM_KINDS = frozenset(
    {
        "close_1012",
        "delayed",
        "duplicated",
        "gap",
        "listen_key_expired",
        "server_shutdown",
        "silent_path",
        "stall",
    }
)


@dataclass
class Fault:
    """One armed fault. `where`: an endpoint name, a kind of endpoint, "METHOD glob" or a glob."""

    number: int
    kind: str
    where: str
    account: str = ""
    skip: int = 0
    times: int = 1
    parameters: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    fired: int = 0

    @property
    def spent(self) -> bool:
        """Whether it will never fire again."""
        return self.fired >= self.times


@dataclass
class FaultFired:
    """One firing; `changed` becomes true as soon as the firing had an effect."""

    fault: int
    kind: str
    where: str
    endpoint: str
    account: str
    time_ms: int
    request: int = 0
    changed: bool = False
    detail: str = ""

    def as_document(self) -> dict[str, Any]:
        """Return the firing as JSON-ready data."""
        return asdict(self)


class FaultBoard:
    """Armed faults and past firings."""

    def __init__(self) -> None:
        self.armed: list[Fault] = []
        self.fired: list[FaultFired] = []
        self._number = 0

    def arm(self, kind: str, where: str, settings: Mapping[str, Any]) -> Fault:
        """Arm a fault; `settings` may name account, skip, times (0 means for ever), parameters."""
        fault = Fault(
            number=self.next_number(),
            kind=kind,
            where=where,
            account=str(settings.get("account", "")),
            skip=int(settings.get("skip", 0)),
            times=int(settings.get("times", 1)) or FOREVER,
            parameters=dict(settings.get("parameters", {})),
        )
        self.armed.append(fault)
        return fault

    def next_number(self) -> int:
        """Return the number of the next fault, of a request or of a stream."""
        self._number += 1
        return self._number

    def take(self, endpoint: Endpoint, path: str, account: str) -> list[Fault]:
        """Return the faults that fire on this request, and count them."""
        taken = []
        for fault in self.armed:
            if fault.spent or not matches(fault.where, endpoint, path):
                continue
            if fault.account and fault.account != account:
                continue
            fault.seen += 1
            if fault.seen > fault.skip:
                fault.fired += 1
                taken.append(fault)
        if taken:
            self.armed = [fault for fault in self.armed if not fault.spent]
        return taken

    def record(self, fault: Fault, endpoint: str, account: str, time_ms: int) -> FaultFired:
        """File a firing; the caller notes later whether it changed anything."""
        row = FaultFired(fault.number, fault.kind, fault.where, endpoint, account, time_ms)
        self.fired.append(row)
        return row

    def clear(self) -> int:
        """Disarm everything; return how many faults were armed."""
        count = len(self.armed)
        self.armed = []
        return count


def matches(where: str, endpoint: Endpoint, path: str) -> bool:
    """Return whether a place names this endpoint."""
    if where in ("*", endpoint.name, endpoint.kind):
        return True
    if " " in where:
        method, _, pattern = where.partition(" ")
        return method in ("*", endpoint.method) and fnmatchcase(path, pattern)
    return fnmatchcase(endpoint.name, where) or fnmatchcase(path, where)


@dataclass
class StreamFault:
    """A fault that the streams read; its kind is one of `STREAM_KINDS`.

    `where` is a glob over `spot/market`, `spot/user`, `usdm/market`, `usdm/user` for what happens
    to a connection, and over `spot/btcusdt@depth@100ms` or `usdm/user/ORDER_TRADE_UPDATE` for what
    happens to one message (gap, delayed, duplicated).
    """

    kind: str
    where: str = "*"
    account: str = ""
    skip: int = 0
    times: int = 1
    parameters: dict[str, Any] = field(default_factory=dict)
    fired: int = 0
    number: int = 0


class StreamFaults:
    """What the streams must do wrong; every firing goes into the ledger of the board."""

    def __init__(self, board: FaultBoard, now_ms: Callable[[], int]) -> None:
        self.rows: list[StreamFault] = []
        self._board = board
        self._now_ms = now_ms

    def add(self, fault: StreamFault) -> None:
        """Arm a stream fault; `times` zero means for ever. Raise ValueError for no such kind."""
        if fault.kind not in STREAM_KINDS:
            raise ValueError(f"unknown kind of stream fault {fault.kind!r}")
        fault.times = fault.times or FOREVER
        fault.number = self._board.next_number()
        self.rows.append(fault)

    def take(self, kind: str, where: str, account: str = "") -> StreamFault | None:
        """Return the first armed fault of this kind for this stream, and consume one firing."""
        for fault in self.rows:
            if fault.kind != kind or not fnmatchcase(where, fault.where):
                continue
            if fault.account and fault.account != account:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.fired += 1
            if fault.fired >= fault.times:
                self.rows.remove(fault)
            self._board.fired.append(
                FaultFired(
                    fault=fault.number,
                    kind=kind,
                    where=fault.where,
                    endpoint=f"stream {where}",
                    account=account,
                    time_ms=self._now_ms(),
                    changed=True,
                )
            )
            return fault
        return None

    def clear(self) -> None:
        """Disarm everything."""
        self.rows.clear()
