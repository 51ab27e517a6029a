"""A practice exchange of Binance's size with resting orders, for benchmarks. Prints nothing."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resyncctl.simulator.catalogue import build_catalogue
from resyncctl.simulator.control_client import PracticeControl

LATENCY_MS = 20
"""Declared latency of the practice exchange, added to every answer."""


@dataclass(frozen=True)
class PracticeWorld:
    """A running practice exchange, and a configuration of resyncctl that points to it."""

    control: PracticeControl
    folder: Path
    ready: dict[str, Any]
    accounts: tuple[str, ...]

    @property
    def config(self) -> Path:
        """The configuration file of resyncctl."""
        return self.folder / "resyncctl.toml"


@contextmanager
def practice_world(
    accounts: int, symbols: int, *, catalogue_size: int = 3000
) -> Iterator[PracticeWorld]:
    """Serve `accounts` accounts with one resting spot order on each of `symbols` symbols."""
    names = tuple(f"bench{number:02d}" for number in range(accounts))
    with tempfile.TemporaryDirectory(prefix="resyncctl-bench-") as text:
        folder = Path(text)
        flags = [word for name in names for word in ("--account", name)]
        server = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "resyncctl.simulator",
                    "--state-dir",
                    str(folder / "venue"),
                ),
                *("--symbols", str(catalogue_size), *flags),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            ready = json.loads(server.stdout.readline())
            control = PracticeControl.from_ready_file(folder / "venue" / "ready.json")
            _prepare(control, names, symbols, catalogue_size)
            _write_config(folder, ready)
            control.call("set_latency", milliseconds=LATENCY_MS)
            yield PracticeWorld(control, folder, ready, names)
        finally:
            server.terminate()
            server.wait(timeout=20)


def _prepare(
    control: PracticeControl, names: tuple[str, ...], symbols: int, catalogue_size: int
) -> None:
    control.call("hold_all_prices")
    control.call("set_weight_limit", market="spot", per_minute=1_000_000)
    rows = build_catalogue(catalogue_size, 0).rows("spot").values()
    chosen = [row for row in rows if row.status == "TRADING"][:symbols]
    for name in names:
        orders = []
        for row in chosen:
            quantity, price = str(row.min_quantity), str((row.anchor_price / 2).quantize(row.tick))
            control.call("deposit", account=name, asset=row.quote, amount="100000")
            orders.append(
                {
                    "market": "spot",
                    "symbol": row.name,
                    "side": "BUY",
                    "quantity": quantity,
                    "price": price,
                }
            )
        control.call("seed_orders", account=name, orders=orders)


def _write_config(folder: Path, ready: dict[str, Any]) -> None:
    lines = [f'state_dir = "{folder / "state"}"', ""]
    for account in ready["accounts"]:
        key_file = folder / f"{account['name']}.key"
        key = Path(account["api_key_file"]).read_text().strip()
        secret = Path(account["api_secret_file"]).read_text().strip()
        key_file.write_text(f'api_key = "{key}"\nsecret = "{secret}"\n')
        key_file.chmod(0o600)
        lines += [
            f"[accounts.{account['name']}]",
            'venue = "binance"',
            'mode = "practice"',
            f'credentials = {{ source = "file", path = "{key_file}" }}',
            'scopes = ["spot"]',
            f'practice = {{ address = "{ready["address"]}", ca_file = "{ready["ca_file"]}" }}',
            "",
        ]
    (folder / "resyncctl.toml").write_text("\n".join(lines))


@dataclass(frozen=True)
class Timing:
    """Seconds since the process was started; None when it did not happen in time."""

    first_cancel: float | None
    all_cancelled: float | None


def time_cancels(world: PracticeWorld, command: list[str], *, limit_s: float) -> Timing:
    """Start the command and watch the exchange's own log until nothing rests any more."""
    began = time.time()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=world.folder
    )
    try:
        while time.time() - began < limit_s:
            time.sleep(0.25)
            if process.poll() is not None or not _resting(world):
                break
    finally:
        process.kill()
        process.wait()
    rows = world.control.ask_log("select", kind="cancel", since_ms=int(began * 1000))
    times = sorted(row["time_ms"] for row in rows)
    if not times:
        return Timing(None, None)
    done = not _resting(world)
    return Timing(times[0] / 1000 - began, times[-1] / 1000 - began if done else None)


def _resting(world: PracticeWorld) -> int:
    return sum(len(world.control.call("open_orders", account=name)) for name in world.accounts)
