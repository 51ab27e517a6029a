"""A practice exchange, warmed interpreters and homes of operators, for the tier of real processes.

Promises: every command is a process of its own, forked from a warmed interpreter; every scenario
has an account and a home of its own; everything that was started is stopped by its process id.
"""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resyncctl.simulator.control_client import PracticeControl
from tests.cli.running import ROOT

PATIENCE_S = 60.0
ACCOUNT = "main"
CONFIG = """\
state_dir = "state"
[accounts.{account}]
venue = "binance"
mode = "practice"
credentials = {{ source = "file", path = "account.key" }}
scopes = ["spot", "linear"]
client_id_prefixes = ["mm-"]
practice = {{ address = "{address}", ca_file = "{ca_file}" }}
[engines.bot]
accounts = ["{account}"]
state = {{ kind = "checkpoint", path = "checkpoint.json" }}
gate_file = "gate.json"
[policy]
staleness_horizon = "400ms"
request_validity = "500ms"
settle_delay = "100ms"
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, what it said, and every effect that it had, in order."""

    code: int
    out: str
    err: str
    trace: tuple[str, ...]

    @property
    def said(self) -> str:
        """Everything that it said."""
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class Running:
    """A command that is under way."""

    pid: int
    folder: Path

    def trace(self) -> tuple[str, ...]:
        """The effects so far."""
        path = self.folder / "trace"
        return tuple(path.read_text().splitlines()) if path.exists() else ()

    def ended(self) -> bool:
        """Whether the process is gone."""
        return (self.folder / "exit").exists()

    def wait(self, seconds: float = PATIENCE_S) -> Ended:
        """Wait for the end; kill it and fail when it takes too long."""
        deadline = time.monotonic() + seconds
        while not self.ended():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"it did not end within {seconds} s: {self._text('err')}")
            time.sleep(0.003)
        code = int((self.folder / "exit").read_text())
        return Ended(code, self._text("out"), self._text("err"), self.trace())

    def until(self, effect: str, seconds: float = PATIENCE_S) -> None:
        """Wait until the command had an effect; fail when it ends without."""
        deadline = time.monotonic() + seconds
        while effect not in self.trace():
            assert not self.ended(), f"it ended without {effect!r}: {self._text('err')}"
            assert time.monotonic() < deadline, f"it took too long until {effect!r}"
            time.sleep(0.002)

    def _text(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""


@dataclass(slots=True)
class Zygote:
    """The warmed interpreter."""

    process: "subprocess.Popen[str]"
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fork(self, wish: dict[str, Any]) -> int:
        """Fork a command; return its process id."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.lock:
            self.process.stdin.write(json.dumps(wish) + "\n")
            self.process.stdin.flush()
            return int(self.process.stdout.readline())


@contextlib.contextmanager
def warmed() -> Iterator[Zygote]:
    """Start the warmed interpreter and stop it at the end."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("zygote.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT / "src")},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield Zygote(process)
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


@dataclass(slots=True)
class Exchange:
    """A served practice exchange."""

    control: PracticeControl
    ready: dict[str, Any]


@contextlib.contextmanager
def exchange(folder: Path) -> Iterator[Exchange]:
    """Serve an exchange with held prices."""
    process = subprocess.Popen(
        [sys.executable, "-m", "resyncctl.simulator", "--state-dir", str(folder), "--seed", "3"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        control = PracticeControl.from_ready_file(folder / "ready.json")
        control.call("hold_all_prices")
        yield Exchange(control, ready)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


@dataclass(slots=True)
class Home:
    """An operator's home with an account of its own."""

    folder: Path
    account: str
    world: Exchange
    zygote: Zygote
    runs: Iterator[int] = field(default_factory=itertools.count)

    @property
    def environ(self) -> dict[str, str]:
        """What the command's environment holds, and nothing else."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "RESYNCCTL_CONFIG": str(self.folder / "resyncctl.toml"),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "COLUMNS": "100",
        }

    def start(self, *words: str, **wish: Any) -> Running:
        """Start a command.

        At its effect `at`, a number or how the effect's name begins, it sends itself `signal`.
        """
        folder = self.folder / "runs-of-the-test" / str(next(self.runs))
        folder.mkdir(parents=True, exist_ok=True)
        document = {"argv": list(words), "folder": str(folder), "environ": self.environ} | wish
        return Running(self.zygote.fork(document), folder)

    def run(self, *words: str, **wish: Any) -> Ended:
        """Run a command to its end."""
        ended = self.start(*words, **wish).wait()
        assert "Traceback" not in ended.said, ended.said
        return ended

    def control(self, method: str, /, **arguments: Any) -> Any:
        """Call the exchange's control about this account."""
        return self.world.control.call(method, account=self.account, **arguments)

    def orders(self) -> list[dict[str, Any]]:
        """What really rests at the exchange."""
        return list(self.control("open_orders"))

    def sent(self, kind: str) -> list[dict[str, Any]]:
        """The requests of a kind (cancel, create) that reached the exchange."""
        return list(self.world.control.ask_log("select", account=self.account, kind=kind))

    def journals(self) -> list[Path]:
        """Every journal, oldest first; `latest` is only a link."""
        found = (self.folder / "state" / "runs").glob("*/journal.jsonl")
        return sorted(path for path in found if not path.parent.is_symlink())

    def records(self) -> list[dict[str, Any]]:
        """Every whole record of every journal."""
        rows = []
        for path in self.journals():
            for line in path.read_bytes().split(b"\n"):
                text = line.strip(b"\0 ")
                if text.startswith(b"{") and text.endswith(b"}"):
                    with contextlib.suppress(ValueError):
                        rows.append(json.loads(text))
        return rows

    def gate(self) -> str:
        """What an engine would read at the gate: RUNNING, SAFE, UNSAFE."""
        from resyncctl.sdk.gate import read_gate

        return read_gate(self.folder / "gate.json", self.account).state.value

    def rest_orders(self, number: int = 6) -> None:
        """Rest orders far below the market in both products."""
        prices = {"BTCUSDT": "30000", "ETHUSDT": "1500", "BNBUSDT": "300"}
        sizes = {"BTCUSDT": "0.01", "ETHUSDT": "0.1", "BNBUSDT": "0.1"}
        for index in range(number):
            symbol = list(prices)[index % len(prices)]
            self.control(
                "seed_order",
                market=("spot", "usdm")[index % 2],
                symbol=symbol,
                side="BUY",
                type="LIMIT",
                quantity=sizes[symbol],
                price=prices[symbol],
                client_order_id=f"mm-{index}",
            )


@contextlib.contextmanager
def new_home(folder: Path, zygote: Zygote) -> Iterator[Home]:
    """Serve an exchange, open an account there, and write a home for it.

    Every home has an exchange of its own: the exchange counts request weight by address and minute,
    and the commands rightly wait for the next minute when the weight of this one is spent.
    """
    with exchange(folder / "exchange") as world:
        opened = world.control.call("add_account", account=ACCOUNT)
        for market in ("spot", "usdm"):
            world.control.call(
                "deposit", account=ACCOUNT, asset="USDT", amount="100000", market=market
            )
        place = folder / "home"
        place.mkdir(parents=True)
        key = place / "account.key"
        key.write_text(f'api_key = "{opened["api_key"]}"\nsecret = "{opened["secret"]}"\n')
        key.chmod(0o600)
        ready = world.ready
        (place / "resyncctl.toml").write_text(
            CONFIG.format(account=ACCOUNT, address=ready["address"], ca_file=ready["ca_file"])
        )
        yield Home(place, ACCOUNT, world, zygote)
