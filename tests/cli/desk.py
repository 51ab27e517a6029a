"""An operator's home with a practice account of its own, driven by real processes."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from resyncctl.sdk import Recoverable
from resyncctl.simulator.control_client import PracticeControl
from tests.cli.running import ROOT, Ran


@dataclass(frozen=True)
class Desk:
    """An operator's home with a configured practice account of its own."""

    home: Path
    account: str
    control: PracticeControl

    @property
    def config(self) -> Path:
        return self.home / "resyncctl.toml"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT / "src"),
            "RESYNCCTL_CONFIG": str(self.config),
            "LC_ALL": "C.UTF-8",
        }

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "resyncctl", *words]

    def run(self, *words: str, timeout: float = 60) -> Ran:
        done = subprocess.run(
            self.argv(*words),
            capture_output=True,
            text=True,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.argv(*words),
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def seed_orders(self, count: int = 3, market: str = "spot", symbol: str = "BTCUSDT") -> None:
        for number in range(count):
            self.control.call(
                "seed_order",
                account=self.account,
                market=market,
                symbol=symbol,
                side="BUY",
                type="LIMIT",
                price="20000",
                quantity="0.01",
                client_order_id=f"t-{market}-{symbol}-{number}",
            )

    def open_orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.call("open_orders", account=self.account)
        return found

    def write_checkpoint(self) -> None:
        """Write what an engine would know that has just started and has no orders."""
        document = self.run("venue", "show", "--json").document()
        assert "scopes" in document, document
        now_ms = time.time_ns() // 1_000_000
        with Recoverable(
            self.home / "checkpoint.json",
            self.home / "gate.json",
            account=self.account,
            exchange="binance",
            products=("spot", "linear"),
        ) as state:
            state.history_read(now_ms - 30 * 3600 * 1000)
            for product in document["scopes"]:
                rows = product["balances"]["data"]
                state.set_balances(
                    product["product"],
                    {row["asset"]: amount(row) for row in rows},
                    as_of_ms=now_ms,
                )
                state.set_positions(product["product"], [])
            state.declare_complete()


def amount(row: dict[str, Any]) -> tuple[Decimal, Decimal] | Decimal:
    """Return free and locked where the exchange tells them, else the total."""
    if row["free"] is None:
        return Decimal(row["total"])
    return Decimal(row["free"]), Decimal(row["locked"])


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def until_line(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words!r}")
